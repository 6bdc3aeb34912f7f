import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createActor } from 'xstate';
import { serverMachine } from '../../machines/server.js';
import { InspectHub, type InspectHubOptions, SERVER_ID } from '../../src/inspect/hub.js';
import type { InspectMessage } from '../../src/inspect/wire.js';
import { LIMITS } from '../../src/limits.js';
import { FakeDirectory } from '../helpers/fake-directory.js';
import { recordingConfig } from '../helpers/recording-config.js';

type Sent<T extends InspectMessage['type']> = Extract<InspectMessage, { type: T }>;

class FakeWatcher {
  readonly messages: InspectMessage[] = [];
  bufferedAmount = 0;

  send(text: string): void {
    this.messages.push(JSON.parse(text));
  }

  all<T extends InspectMessage['type']>(type: T): Sent<T>[] {
    return this.messages.filter((message): message is Sent<T> => message.type === type);
  }

  last<T extends InspectMessage['type']>(type: T): Sent<T> {
    const message = this.all(type).at(-1);
    assert.ok(message, `a message of type ${type} was sent`);
    return message;
  }
}

const watch = (session: string | null) => JSON.stringify({ type: 'watch', session });

describe('inspect hub', () => {
  let directory: FakeDirectory;
  let watcher: FakeWatcher;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_000_000 });
    directory = new FakeDirectory();
    watcher = new FakeWatcher();
  });
  afterEach(() => mock.timers.reset());

  /** A hub with one watcher, which follows `id`. */
  function following(id: string, options: Partial<InspectHubOptions> = {}) {
    const hub = new InspectHub({ directory, ...options });
    const watching = hub.add(watcher);
    assert.ok(watching);
    watching.receive(watch(id));
    return { hub, watching };
  }

  it('answers no more requests of a watcher that does not read', () => {
    directory.open('a');
    const { watching } = following('a');
    const answered = watcher.all('watching').length;
    watcher.bufferedAmount = LIMITS.outboxHardBytes + 1;
    watching.receive(watch('a'));
    watching.receive('nonsense');
    assert.equal(watcher.all('watching').length, answered);
    assert.equal(watcher.all('error').length, 0);
  });

  it('leaves out the row of a session whose figures cannot be had, and shows the others', () => {
    for (const id of ['a', 'b', 'c']) directory.open(id);
    const [, broken] = directory.list();
    assert.ok(broken);
    broken.summary = () => {
      throw new Error('a defect');
    };
    following('a');
    mock.timers.tick(1_000);
    assert.deepEqual(watcher.all('sessions')[0]?.rows.map((row) => row.id), ['a', 'c']); // biome-ignore format: short
  });

  it('attaches nothing while nobody looks, and detaches when the last watcher leaves', () => {
    const { actor } = directory.open('a');
    const inspect = mock.method(actor.system, 'inspect');
    const hub = new InspectHub({ directory });
    actor.send({ type: 'STOP' });
    assert.equal(inspect.mock.callCount(), 0);
    assert.equal(directory.listeners(), 0);

    const first = hub.add(watcher);
    const second = hub.add(new FakeWatcher());
    directory.open('b');
    assert.equal(hub.tracedActors, 2);
    assert.equal(inspect.mock.callCount(), 1);

    first?.leave();
    assert.equal(hub.tracedActors, 2);
    second?.leave();
    assert.equal(hub.tracedActors, 0);
    assert.equal(directory.listeners(), 0);
    const before = watcher.messages.length;
    actor.send({ type: 'STOP' });
    mock.timers.tick(5_000);
    assert.equal(watcher.messages.length, before);
  });

  it('tells the machines first, then the sessions', () => {
    directory.open('a').send('START');
    new InspectHub({ directory }).add(watcher);
    assert.deepEqual(
      watcher.messages.map(({ type }) => type),
      ['machines', 'sessions', 'counts'],
    );
    const { machines, serverId } = watcher.last('machines');
    assert.deepEqual(
      machines.map(({ name }) => name),
      ['session', 'server'],
    );
    assert.match(machines[0]?.mermaid.brief.LR ?? '', /direction LR/);
    assert.equal(serverId, null);
    assert.deepEqual(watcher.last('sessions').rows, [
      {
        id: 'a',
        clientId: 'client of a',
        remote: '127.0.0.1',
        openedAt: 0,
        activity: 'recording',
        attached: true,
        audioSeconds: 1.5,
        segments: 0,
        lagMs: 20,
        droppedPartials: 0,
      },
    ]);
  });

  it('sends each second only the rows that changed, and the ids that are gone', () => {
    const a = directory.open('a');
    directory.open('b');
    new InspectHub({ directory }).add(watcher);
    const session = directory.sessions.get('b');
    assert.ok(session);
    session.segments = 3;
    mock.timers.tick(1_000);
    assert.deepEqual(
      watcher.last('sessions').rows.map(({ id, segments }) => [id, segments]),
      [['b', 3]],
    );
    a.send({ type: 'CLOSE', code: null });
    mock.timers.tick(1_000);
    assert.deepEqual(watcher.last('sessions').gone, ['a']);
    assert.deepEqual(watcher.last('sessions').rows, []);
  });

  it('bounds the table and says how many sessions there are', () => {
    for (let i = 0; i < LIMITS.inspectSessions + 3; i++) directory.open(`s${i}`);
    new InspectHub({ directory }).add(watcher);
    const { rows, total, shown } = watcher.last('sessions');
    assert.equal(rows.length, LIMITS.inspectSessions);
    assert.equal(shown, LIMITS.inspectSessions);
    assert.equal(total, LIMITS.inspectSessions + 3);
  });

  it('tells what an event did to the watched session', () => {
    const session = directory.open('a');
    following('a');
    session.send('START');
    assert.deepEqual(watcher.last('event'), {
      type: 'event',
      session: 'a',
      skipped: 0,
      record: {
        at: 1_000_000,
        event: 'START',
        payload: { config: { ...recordingConfig(), hotwords: '0 not shown' } },
        from: [
          'session.open',
          'session.open.activity',
          'session.open.activity.idle',
          'session.open.transport',
          'session.open.transport.attached',
        ],
        to: [
          'session.open',
          'session.open.activity',
          'session.open.activity.recording',
          'session.open.transport',
          'session.open.transport.attached',
        ],
        transitions: ['session.open.activity.idle START'],
        guards: [],
        actions: ['beginRecording'],
        microsteps: 1,
      },
    });
    session.send('STOP');
    assert.deepEqual(watcher.last('event').record.actions, ['beginFlush(stop)']);
  });

  it('names a timer, and the guards that decided', () => {
    const session = directory.open('a');
    following('a');
    session.send('DETACHED');
    assert.deepEqual(watcher.last('event').record.guards, [{ name: 'canResume', passed: true }]);
    session.send('TICK');
    assert.equal(watcher.last('event').record.event, 'after resumeWindow');
  });

  it('names the guard that did not let an event through', () => {
    const session = directory.open('a', { resumeWindowMs: 0 });
    following('a');
    session.send('DETACHED');
    assert.deepEqual(watcher.last('event').record.guards, [{ name: 'canResume', passed: false }]);
    assert.deepEqual(watcher.last('event').record.to, ['session.closed']);
  });

  it('tells of ignored events as such', () => {
    const session = directory.open('a');
    following('a');
    session.send('FLUSHED');
    assert.deepEqual(watcher.last('event').record.transitions, []);
    mock.timers.tick(1_000);
    assert.equal(watcher.last('counts').ignored, 1);
  });

  it('tells the step that closed a session although the session left the directory within it', () => {
    const session = directory.open('a');
    const { hub } = following('a');
    session.send({ type: 'FAULT', code: 'ENGINE_FAILED' });
    assert.deepEqual(watcher.last('event').record.payload, { code: 'ENGINE_FAILED' });
    assert.deepEqual(watcher.last('event').record.to, ['session.closed']);
    assert.equal(hub.tracedActors, 0);
  });

  it('keeps the phrases of hotwords to itself, unless told to debug', () => {
    const config = { ...recordingConfig(), hotwords: [{ phrase: 'secret name', boost: 2 }] };
    const silent = directory.open('a');
    following('a');
    silent.send({ type: 'START', config });
    assert.doesNotMatch(JSON.stringify(watcher.messages), /secret name/);

    const open = directory.open('b');
    following('b', { debugTranscripts: true });
    open.send({ type: 'START', config });
    assert.match(JSON.stringify(watcher.messages), /secret name/);
  });

  it('counts the transitions of all sessions, watched or not', () => {
    const sessions = ['a', 'b', 'c'].map((id) => directory.open(id));
    new InspectHub({ directory }).add(watcher);
    for (const session of sessions) session.send('START', 'STOP', 'FLUSHED');
    assert.equal(watcher.all('event').length, 0);
    mock.timers.tick(1_000);
    assert.equal(watcher.last('counts').counts['session.open.activity.idle START'], 3);
    assert.equal(watcher.last('counts').since, 1_000_000);
    const sent = watcher.all('counts').length;
    mock.timers.tick(1_000);
    assert.equal(watcher.all('counts').length, sent, 'nothing changed, nothing is sent');
  });

  it('keeps the last events of a session for whoever comes to watch it', () => {
    const session = directory.open('a');
    const { watching } = following('a');
    watching.receive(watch(null));
    for (let i = 0; i < LIMITS.inspectEvents; i++) session.send('STOP');
    session.send('START');
    assert.equal(watcher.all('event').length, 0);
    watching.receive(watch('a'));
    const { events, active, machine } = watcher.last('watching');
    assert.equal(machine, 'session');
    assert.equal(events.length, LIMITS.inspectEvents);
    assert.equal(events.at(-1)?.event, 'START');
    assert.ok(active.includes('session.open.activity.recording'));
  });

  it('answers a wish for an unknown session with none', () => {
    following('nobody');
    assert.equal(watcher.last('watching').session, null);
  });

  it('shows the machine of the server itself', () => {
    const effects = { openGates() {}, announceDrain() {}, stop() {}, effectFailed() {} };
    const server = createActor(serverMachine, { input: { effects, drainTimeoutMs: 1_000 } }).start();
    following(SERVER_ID, { server });
    assert.equal(watcher.last('machines').serverId, SERVER_ID);
    server.send({ type: 'MODEL_READY' });
    assert.deepEqual(watcher.last('event').record.to, ['server.ready']);
    server.stop();
  });

  it('leaves events out for a watcher that reads too slowly, and says how many', () => {
    const session = directory.open('a');
    following('a');
    watcher.bufferedAmount = LIMITS.outboxSoftBytes + 1;
    session.send('STOP', 'STOP');
    mock.timers.tick(1_000);
    assert.equal(watcher.all('event').length, 0);
    watcher.bufferedAmount = 0;
    session.send('STOP');
    assert.equal(watcher.last('event').skipped, 2);
    mock.timers.tick(1_000);
    assert.equal(watcher.last('counts').counts['session.open.activity.idle STOP'], 3);
  });

  it('answers anything but a wish to watch with an error', () => {
    const { watching } = following('a');
    for (const text of ['', 'null', '[]', '{"type":"watch","session":7}', 'x'.repeat(100_000)]) {
      watching.receive(text);
    }
    assert.equal(watcher.all('error').length, 5);
  });

  it('refuses one watcher too many', () => {
    const hub = new InspectHub({ directory });
    for (let i = 0; i < LIMITS.inspectWatchers; i++) assert.ok(hub.add(new FakeWatcher()));
    assert.equal(hub.add(watcher), null);
    assert.deepEqual(watcher.messages, []);
  });

  it('does not let a broken watcher hurt the session', () => {
    const session = directory.open('a');
    following('a');
    watcher.send = () => {
      throw new Error('socket is gone');
    };
    session.send('START');
    assert.equal(session.state, 'recording');
    assert.deepEqual(session.failures, []);
  });
});
