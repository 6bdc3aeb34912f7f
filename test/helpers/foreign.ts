/** Models of other programs that the tests import (test/fixtures/foreign/README.md), and their recordings. */
import { readFileSync } from 'node:fs';
import { inPackage } from '../../src/paths.js';

export const fixture = (...parts: string[]): string => inPackage('test', 'fixtures', 'foreign', ...parts);

/** What sherpa-onnx gives for a recording: ids, frames of 40 ms (zipformer), log-probabilities. */
export interface Expected {
  readonly f: string;
  readonly tokens: readonly number[];
  readonly frames: readonly number[];
  readonly logp: readonly number[];
}

export const expected = (name: string): Expected[] =>
  readFileSync(fixture('expected', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Expected);
