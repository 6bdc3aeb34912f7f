import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineFingerprint } from '../../src/inference/fingerprint.js';
import { fakeModel } from '../helpers/fake-model.js';

const VNNI = 'processor : 0\nflags\t\t: fpu avx avx2 avx512f avx512_vnni\n';
const of = (
  changes: { name?: string; provider?: string; cpuinfo?: string | null; runtime?: string } = {},
): string => {
  const { name = 'fake', provider = 'cpu', cpuinfo = VNNI, runtime = '1.29.0' } = changes;
  return Buffer.from(engineFingerprint(fakeModel({ name }), provider, cpuinfo, runtime)).toString('hex');
};

test('is the same for the same model, runtime, provider and instructions', () => {
  assert.equal(of(), of());
  assert.equal(of().length, 64);
});

test('is another with another model, provider, runtime, or other kernels', () => {
  const others = [
    of({ name: 'other' }),
    of({ provider: 'cuda' }),
    of({ runtime: '1.30.0' }),
    of({ cpuinfo: VNNI.replace(' avx512_vnni', '') }),
    of({ cpuinfo: null }),
  ];
  assert.equal(new Set([of(), ...others]).size, 6);
});

test('flags that no kernel is chosen by do not matter, nor how many cores there are', () => {
  assert.equal(of({ cpuinfo: `${VNNI.replace('fpu', 'fpu aes rdrand')}${VNNI}` }), of());
});

test('is known of this machine', () => {
  assert.equal(engineFingerprint(fakeModel(), 'cpu').length, 32);
});
