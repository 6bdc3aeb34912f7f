import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DialectDefinition, StreamEvent } from '../../src/protocol/dialect.js';
import { native } from '../../src/protocol/dialects/native.js';
import { openFakeSession } from '../helpers/fake-session.js';

/** The native dialect, but it throws at events of these types. */
const brokenAt = (...types: StreamEvent['type'][]): DialectDefinition => ({
  ...native,
  create(request, host) {
    const dialect = native.create(request, host);
    return {
      policy: dialect.policy,
      parse: (frame) => dialect.parse(frame),
      closeCode: (code) => dialect.closeCode(code),
      render(event) {
        if (types.includes(event.type)) throw new Error('a defect');
        return dialect.render(event);
      },
    };
  },
});

for (const type of ['opened', 'started', 'partial', 'segment', 'stopped', 'pong', 'error'] as const) {
  test(`a dialect that throws at "${type}" ends its own session, and nothing escapes`, async () => {
    const { engine, session, socket, closed, context, say, speak } = openFakeSession({
      dialect: brokenAt(type),
    });
    say({ type: 'start_recording' });
    speak(8_000, [[1_000, 'hello']]);
    session.onFrame('{');
    say({ type: 'ping' });
    await engine.settle();
    say({ type: 'stop_recording' });
    await engine.settle();
    assert.equal(session.activity, 'closed');
    assert.deepEqual(socket.closings, [{ code: 1011, reason: 'INTERNAL' }]);
    assert.deepEqual(closed, [session]);
    assert.equal(context.leases.active, 0);
  });
}
