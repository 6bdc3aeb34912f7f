import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UploadPlaces } from '../../src/server/upload-places.js';

test('so many uploads and no more; a place that is left is free once', () => {
  const places = new UploadPlaces(2);
  const leave = places.enter();
  places.enter();
  assert.throws(() => places.enter(), { code: 'TOO_MANY_UPLOADS' });
  leave();
  leave();
  assert.equal(places.counts().active, 1);
  places.enter();
  assert.throws(() => places.enter(), { code: 'TOO_MANY_UPLOADS' });
});

test('it says when the last upload has left, at once if there is none', () => {
  const places = new UploadPlaces(2);
  const leave = [places.enter(), places.enter()];
  let idle = 0;
  places.whenIdle(() => idle++);
  leave[0]?.();
  assert.equal(idle, 0);
  leave[1]?.();
  assert.equal(idle, 1);
  new UploadPlaces(1).whenIdle(() => idle++);
  assert.equal(idle, 2);
});
