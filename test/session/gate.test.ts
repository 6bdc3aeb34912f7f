import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate, type GateParts } from '../../src/session/gate.js';

test('a cut that comes while a stop begins its flush lets no further input in', () => {
  const inbox = {
    held: false,
    resting: false,
    hold: () => {
      inbox.held = true;
    },
    release: () => {
      inbox.held = false;
    },
  };
  let cut = () => {};
  const gate = new Gate({
    inbox,
    flow: { set: () => {} },
    // The decoder has settled: what waited for it comes first, and the machine's transition is still under way.
    recorder: { live: { accepts: () => true, end: () => cut() } },
    activity: () => 'recording',
    onReleased: () => {},
  } as unknown as GateParts);
  gate.cut((onCut) => {
    cut = onCut;
  });
  gate.flush('stop');
  assert.equal(inbox.held, true);
});
