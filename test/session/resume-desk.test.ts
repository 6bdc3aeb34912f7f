/** Tokens: who holds one, how often it is good, and how many sessions wait. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOf, ResumeDesk } from '../../src/session/resume-desk.js';

function deskOf(bounds: Partial<ConstructorParameters<typeof ResumeDesk>[0]> = {}) {
  const desk = new ResumeDesk({ maxSuspended: 10, maxSuspendedBytes: 1_000, ...bounds });
  const expired: string[] = [];
  const open = (id: string, key = '') => desk.open({ id, key, expire: () => void expired.push(id) });
  return { desk, open, expired };
}

test('a token finds its session, with the key that opened it and no other', () => {
  const { desk, open } = deskOf();
  const token = open('a', 'key').issue();
  assert.deepEqual(
    [desk.find(token, 'key'), desk.find(token, 'other'), desk.find(`${token}x`, 'key'), desk.find('', 'key')],
    ['a', null, null, null],
  );
});

test('tokens are long, and never the same', () => {
  const ticket = deskOf().open('a');
  const tokens = Array.from({ length: 50 }, () => ticket.issue());
  assert.equal(new Set(tokens).size, 50);
  for (const token of tokens) assert.ok(Buffer.from(token, 'base64url').length >= 24);
});

test('a fleet knows the hash of a token before anybody has it', () => {
  const ticket = deskOf().open('a');
  for (let i = 0; i < 3; i++) {
    const known = ticket.hashes;
    assert.ok(known.includes(hashOf(ticket.issue())), `token ${i}`);
  }
});

test('a token that was used is worth nothing once the client has shown that it has the next', () => {
  const { desk, open } = deskOf();
  const ticket = open('a');
  const first = ticket.issue();
  ticket.confirm();
  const second = ticket.issue(first);
  assert.equal(desk.find(first, ''), 'a', 'the answer may have been lost on its way');
  ticket.confirm();
  assert.deepEqual([desk.find(first, ''), desk.find(second, '')], [null, 'a']);
});

test('of several answers to one token the client may have got any of the last', () => {
  const { desk, open } = deskOf();
  const ticket = open('a');
  const used = ticket.issue();
  const answers = Array.from({ length: 6 }, () => ticket.issue(used));
  const found = [used, ...answers].map((token) => desk.find(token, ''));
  assert.deepEqual(found, ['a', null, null, 'a', 'a', 'a', 'a']);
  assert.equal(ticket.hashes.length, 6, 'those, and the one that is issued next');
});

test('whoever comes with one of them makes the others worth nothing', () => {
  const { desk, open } = deskOf();
  const ticket = open('a');
  const used = ticket.issue();
  const late = ticket.issue(used);
  const other = ticket.issue(used);
  const next = ticket.issue(late);
  const found = [used, late, other, next].map((token) => desk.find(token, ''));
  assert.deepEqual(found, [null, 'a', null, 'a']);
});

test('a sign of life leaves the newest of them', () => {
  const { desk, open } = deskOf();
  const ticket = open('a');
  const used = ticket.issue();
  const late = ticket.issue(used);
  const newest = ticket.issue(used);
  ticket.confirm();
  assert.deepEqual([used, late, newest].map((token) => desk.find(token, '')), [null, null, 'a']); // biome-ignore format: short
});

test('a session of another server is found by each token that was good there, until the client shows the next', () => {
  const there = deskOf().open('a');
  const used = there.issue();
  const answer = there.issue(used);
  const { desk, open } = deskOf();
  const here = open('a');
  const next = here.adopt(used, there.hashes);
  assert.deepEqual([used, answer, next].map((token) => desk.find(token, '')), ['a', 'a', 'a']); // biome-ignore format: short
  here.confirm();
  assert.deepEqual([used, answer, next].map((token) => desk.find(token, '')), [null, null, 'a']); // biome-ignore format: short
});

test('the tokens of a session that is over are unknown', () => {
  const { desk, open } = deskOf();
  const ticket = open('a');
  const first = ticket.issue();
  const second = ticket.issue(first);
  ticket.close();
  assert.deepEqual([desk.find(first, ''), desk.find(second, '')], [null, null]);
});

test('beyond the number of sessions that may wait the longest suspended ends', () => {
  const { desk, open, expired } = deskOf({ maxSuspended: 2 });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => open(id));
  a!.suspend(1);
  b!.suspend(1);
  a!.resume();
  c!.suspend(1);
  assert.deepEqual(expired, []);
  d!.suspend(1);
  assert.deepEqual([expired, desk.suspendedCount], [['b'], 2]);
});

test('beyond their memory they end in the same order, at last the one that came', () => {
  const { desk, open, expired } = deskOf({ maxSuspendedBytes: 100 });
  for (const id of ['a', 'b', 'c']) open(id).suspend(30);
  open('d').suspend(60);
  assert.deepEqual(expired, ['a', 'b']);
  open('e').suspend(101);
  assert.deepEqual([expired, desk.suspendedCount], [['a', 'b', 'c', 'd', 'e'], 0]);
});
