/** Who is this key, what may it use, and what are its tokens good for? */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenRequest } from '../../src/auth/client-token.js';
import { type KeyEntry, sha256 } from '../../src/auth/key-file.js';
import { Keyring } from '../../src/auth/keyring.js';
import { LIMITS } from '../../src/limits.js';
import { codeOf, entry } from '../helpers/key-entries.js';

const SECRET = 'a secret of the fleet, 32 characters at least';
const clock = { nowMs: 1_000_000 };

function keyringOf(entries: readonly KeyEntry[], authToken = '', tokenSecret = SECRET): Keyring {
  const keyring = new Keyring({ authToken, keysFile: 'keys', tokenSecret }, () => clock.nowMs);
  keyring.take(entries);
  return keyring;
}

const wanted = (request: object = {}) => tokenRequest.parse(request);

test('a right key is known by its name, a wrong one is refused', () => {
  const keyring = keyringOf([entry('anna', 'A'), entry('bert', 'B')]);
  assert.equal(keyring.who(['A']).name, 'anna');
  assert.equal(keyring.who(['B']).name, 'bert');
  assert.equal(keyring.who(['wrong', 'B']).name, 'bert');
  for (const offered of [[], [''], ['C'], ['anna'], [sha256('A').toString('hex')]]) {
    assert.equal(
      codeOf(() => keyring.who(offered)),
      'UNAUTHORIZED',
      String(offered),
    );
  }
});

test('the shared token stands beside the keys of the file, without limits', () => {
  const keyring = keyringOf([entry('anna', 'A')], 'shared');
  assert.equal(keyring.who(['shared']).name, 'auth-token');
  assert.equal(keyring.who(['A']).name, 'anna');
});

test('an empty file of keys lets nobody in', () => {
  assert.equal(
    codeOf(() => keyringOf([]).who(['A'])),
    'UNAUTHORIZED',
  );
});

test('without any key everybody may come, and is told from others by what they bring', () => {
  const open = new Keyring({ authToken: '', keysFile: '', tokenSecret: '' });
  assert.equal(open.who([]).identity, '');
  assert.notEqual(open.who(['x']).identity, open.who(['y']).identity);
  assert.equal(
    codeOf(() => open.issue([], wanted())),
    'NOT_FOUND',
  );
  assert.ok(open.knows('whatever'));
});

test('a request is looked at for a few keys of bounded length, however many it brings', () => {
  const keyring = keyringOf([entry('anna', 'A'), entry('long', 'x'.repeat(LIMITS.maxKeyChars + 1))]);
  const wrong = Array.from({ length: LIMITS.maxKeysOffered }, () => 'wrong');
  assert.equal(keyring.who([...wrong.slice(1), 'A']).name, 'anna');
  assert.equal(
    codeOf(() => keyring.who([...wrong, 'A'])),
    'UNAUTHORIZED',
  );
  assert.equal(
    codeOf(() => keyring.who(['x'.repeat(LIMITS.maxKeyChars + 1)])),
    'UNAUTHORIZED',
  );
});

for (const what of ['streams', 'uploads'] as const) {
  test(`${what} at once are bounded for a key, over all of its connections`, () => {
    const keyring = keyringOf([entry('anna', 'A', { [what]: 2 }), entry('bert', 'B')]);
    const begin = () => {
      const grant = keyring.who(['A']);
      if (what === 'uploads') return grant.enterUpload();
      grant.takeStream();
      return () => grant.giveStream();
    };
    const end = begin();
    begin();
    assert.equal(codeOf(begin), 'KEY_LIMIT');
    for (let i = 0; i < 5; i++) keyring.who(['B'])[what === 'uploads' ? 'enterUpload' : 'takeStream']();
    end();
    begin();
    assert.equal(codeOf(begin), 'KEY_LIMIT');
  });
}

test('requests per minute are bounded, those for tokens included', () => {
  const keyring = keyringOf([entry('anna', 'A', { perMinute: 3 })]);
  keyring.who(['A']).countRequest();
  keyring.issue(['A'], wanted());
  keyring.who(['A']).countRequest();
  assert.equal(
    codeOf(() => keyring.who(['A']).countRequest()),
    'KEY_LIMIT',
  );
  assert.equal(
    codeOf(() => keyring.issue(['A'], wanted())),
    'KEY_LIMIT',
  );
});

test('other limits hold at once for those who are in already, in both directions', () => {
  const keyring = keyringOf([entry('anna', 'A', { streams: 1 })]);
  const grant = keyring.who(['A']);
  grant.takeStream();
  keyring.take([entry('anna', 'A', { streams: 2 })]);
  grant.takeStream();
  keyring.take([entry('anna', 'A', { streams: 1 })]);
  grant.giveStream();
  assert.equal(
    codeOf(() => grant.takeStream()),
    'KEY_LIMIT',
  );
  grant.giveStream();
  grant.takeStream();
});

test('a key that is gone, or another one under its name, begins nothing more', () => {
  for (const next of [[], [entry('anna', 'another')]]) {
    const keyring = keyringOf([entry('anna', 'A')]);
    const grant = keyring.who(['A']);
    assert.ok(keyring.knows(grant.identity));
    keyring.take(next);
    assert.ok(!keyring.knows(grant.identity));
    for (const act of [() => grant.takeStream(), () => grant.enterUpload(), () => grant.countRequest()]) {
      assert.equal(codeOf(act), 'UNAUTHORIZED');
    }
  }
});

test('a client token stands for its key, and its sessions for those of the key', () => {
  const keyring = keyringOf([entry('anna', 'A')]);
  const { text, name, expiresAtMs } = keyring.issue(['A'], wanted({ ttl_s: 30 }));
  assert.deepEqual([name, expiresAtMs], ['anna', clock.nowMs + 30_000]);
  assert.match(text, /^[\w.-]+$/, 'fits into a subprotocol');
  assert.equal(keyring.who([text]).identity, keyring.who(['A']).identity);
});

test('a client token is good on every server of the fleet, and nowhere else', () => {
  const keys = [entry('anna', 'A')];
  const { text } = keyringOf(keys).issue(['A'], wanted());
  assert.equal(keyringOf(keys).who([text]).name, 'anna');
  assert.equal(
    codeOf(() => keyringOf(keys, '', `${SECRET}!`).who([text])),
    'UNAUTHORIZED',
  );
  assert.equal(
    codeOf(() => keyringOf(keys, '', '').who([text])),
    'UNAUTHORIZED',
    'a secret of its own',
  );
});

test('a client token ends on time, by the second', () => {
  const keyring = keyringOf([entry('anna', 'A')]);
  const { text } = keyring.issue(['A'], wanted({ ttl_s: 10 }));
  clock.nowMs += 9_999;
  assert.equal(keyring.who([text]).name, 'anna');
  clock.nowMs += 1;
  assert.throws(() => keyring.who([text]), /expired/);
});

test('one right key is enough, wherever it stands beside wrong and expired ones', () => {
  const keyring = keyringOf([entry('anna', 'A'), entry('bert', 'B')]);
  const { text: expired } = keyring.issue(['B'], wanted({ ttl_s: 10 }));
  clock.nowMs += 10_000;
  const { text: fresh } = keyring.issue(['A'], wanted());
  for (const right of ['A', fresh]) {
    for (const offered of [
      [right, expired, 'wrong'],
      [expired, right, 'wrong'],
      ['wrong', expired, right],
    ]) {
      assert.equal(keyring.who(offered).name, 'anna', String(offered));
    }
  }
  for (const offered of [
    [expired, 'wrong'],
    ['wrong', expired],
  ]) {
    assert.throws(() => keyring.who(offered), /expired/, 'with none that is right, the expired one is told');
  }
});

test('a client token ends with its key, and gets no further tokens', () => {
  const keyring = keyringOf([entry('anna', 'A')], 'shared');
  const { text } = keyring.issue(['A'], wanted());
  assert.equal(
    codeOf(() => keyring.issue([text], wanted())),
    'UNAUTHORIZED',
  );
  keyring.take([entry('anna', 'another')]);
  assert.equal(
    codeOf(() => keyring.who([text])),
    'UNAUTHORIZED',
  );
  assert.equal(keyring.who([keyring.issue(['shared'], wanted()).text]).name, 'auth-token');
});

test('no character of a client token can be changed', () => {
  const keyring = keyringOf([entry('anna', 'A')]);
  const { text } = keyring.issue(['A'], wanted());
  // The last character of base64 has bits that stand for nothing.
  for (let at = 0; at < text.length - 1; at++) {
    const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
    assert.equal(
      codeOf(() => keyring.who([changed])),
      'UNAUTHORIZED',
      changed,
    );
  }
  for (const made of ['rnnt1.', 'rnnt1..', 'rnnt1.e30.', `rnnt1.e30.${'A'.repeat(43)}`, `${text}x`]) {
    assert.equal(
      codeOf(() => keyring.who([made])),
      'UNAUTHORIZED',
      made,
    );
  }
});

test('the bound of a client token comes on top of that of its key', () => {
  const keyring = keyringOf([entry('anna', 'A', { streams: 3 })]);
  const first = keyring.who([keyring.issue(['A'], wanted({ streams: 2 })).text]);
  const second = keyring.who([keyring.issue(['A'], wanted({ streams: 2 })).text]);
  first.takeStream();
  first.takeStream();
  assert.equal(
    codeOf(() => first.takeStream()),
    'KEY_LIMIT',
  );
  second.takeStream();
  assert.equal(
    codeOf(() => second.takeStream()),
    'KEY_LIMIT',
    'three of the key',
  );
  first.giveStream();
  second.takeStream();
});

test('what a client token may ask for is bounded', () => {
  for (const bad of [{ ttl_s: 0 }, { ttl_s: LIMITS.maxTokenSeconds + 1 }, { streams: 0 }, { admin: true }]) {
    assert.equal(tokenRequest.safeParse(bad).success, false, JSON.stringify(bad));
  }
  assert.equal(wanted().ttl_s, LIMITS.tokenSeconds);
});
