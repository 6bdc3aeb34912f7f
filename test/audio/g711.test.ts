import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALAW, MULAW } from '../../src/audio/g711.js';

/** ITU-T G.711 as continuous companding curves (μ = 255, A = 87.6), against which the segments are checked. */
const mulawCurve = (y: number): number => (256 ** y - 1) / 255;
const alawCurve = (y: number): number =>
  y < 1 / (1 + Math.log(87.6))
    ? (y * (1 + Math.log(87.6))) / 87.6
    : Math.exp(y * (1 + Math.log(87.6)) - 1) / 87.6;

test('μ-law expands the values of the table in the recommendation', () => {
  // G.711 table 2a/2b, 14-bit values times four.
  const expected: [octet: number, sample: number][] = [
    [0x80, 32_124],
    [0x8f, 16_764],
    [0x9f, 8_316],
    [0xaf, 4_092],
    [0xbf, 1_980],
    [0xcf, 924],
    [0xdf, 396],
    [0xef, 132],
    [0xfe, 8],
    [0xff, 0],
    [0x7f, 0],
    [0x00, -32_124],
  ];
  for (const [octet, sample] of expected) assert.equal(MULAW[octet], sample, octet.toString(16));
});

test('A-law expands the values of the table in the recommendation', () => {
  // G.711 table 1a/1b, 13-bit values times eight; even bits inverted.
  const expected: [octet: number, sample: number][] = [
    [0x80 ^ 0x55, 8],
    [0xff ^ 0x55, 32_256],
    [0xf0 ^ 0x55, 16_896],
    [0xe0 ^ 0x55, 8_448],
    [0x90 ^ 0x55, 264],
    [0x00 ^ 0x55, -8],
    [0x7f ^ 0x55, -32_256],
  ];
  for (const [octet, sample] of expected) assert.equal(ALAW[octet], sample, octet.toString(16));
});

test('both tables rise with the code, are odd about zero and follow the companding curves', () => {
  for (let code = 0; code < 128; code += 1) {
    const mulaw = MULAW[0xff - code]!;
    const alaw = ALAW[(0x80 | code) ^ 0x55]!;
    assert.equal(MULAW[0x7f - code], -mulaw || 0);
    assert.equal(ALAW[code ^ 0x55], -alaw);
    if (code > 0) {
      assert.ok(mulaw > MULAW[0xff - code + 1]!);
      assert.ok(alaw > ALAW[(0x80 | (code - 1)) ^ 0x55]!);
    }
    // The segments are chords of the curve; the top one's middle lies furthest from it, by 0.043.
    assert.ok(Math.abs(mulaw / 32_635 - mulawCurve((code + 0.5) / 128)) < 0.045, `μ-law ${code}`);
    assert.ok(Math.abs(alaw / 32_768 - alawCurve((code + 0.5) / 128)) < 0.045, `A-law ${code}`);
  }
});
