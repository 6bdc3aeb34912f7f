/** Seeded random choices, and mutations of messages: replaced values, removed fields, changed characters. */

export class Dice {
  private readonly random: () => number;

  /** @param random numbers from 0 to below 1 */
  constructor(random: () => number) {
    this.random = random;
  }

  /** An integer from 0 to below `most`. */
  below(most: number): number {
    return Math.floor(this.random() * most);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  of<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined && values.length === 0) throw new RangeError('There is nothing to choose from.');
    return value as T; // within
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.below(256)));
  }
}

/** Stands for lists nested deeper than any recursive function can follow, including JSON.stringify. */
const DEEP = 'as deep as a frame may be';
const LEVELS = 30_000;
const deep = '['.repeat(LEVELS) + ']'.repeat(LEVELS);

/** A text frame. */
export const written = (value: unknown): string =>
  (JSON.stringify(value) ?? '').replaceAll(JSON.stringify(DEEP), () => deep);

/** What a field may hold that nobody thought of. Each is JSON. */
export const ODD: readonly unknown[] = [
  null, true, false, 0, -1, 1, 0.5, 16_000, 44_100, 1e9, 2 ** 53, -2_147_483_648, 1e308, 1e-320, '', ' ', '0', '16000', 'NaN', 'true', 'pcm16',
  'constructor', 'toString', '__proto__', 'hasOwnProperty', '\u0000', '\ud800', '💥', 'é'.repeat(300), 'a:1e9', ':', '[', '["a"', 'x'.repeat(5_000),
  [], {}, [[]], [null], [{}], ['a', 1, null], { toString: 1, valueOf: 1 }, [{ toString: 1 }], { length: 9 }, { type: 'stop_recording' },
  { phrase: 'hello', boost: 1e9 }, JSON.parse('{"__proto__":{"type":"x"}}'), DEEP,
]; // biome-ignore format: a table

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A message with one to four changes anywhere in it. */
export function mutated(message: object, dice: Dice): unknown {
  let result: unknown = structuredClone(message);
  const changes = 1 + dice.below(4);
  for (let i = 0; i < changes; i++) result = changedOnce(result, dice);
  return result;
}

function changedOnce(value: unknown, dice: Dice): unknown {
  if (!isObject(value) || dice.chance(0.03)) return dice.of(ODD);
  const names = Object.keys(value);
  const name = names.length > 0 && dice.chance(0.85) ? dice.of(names) : String(dice.of(ODD.slice(14, 30)));
  const inner = value[name];
  const { [name]: _, ...without } = value;
  if (dice.chance(0.12)) return without;
  if (isObject(inner) && dice.chance(0.6)) return { ...value, [name]: changedOnce(inner, dice) };
  if (Array.isArray(inner) && inner.length > 0 && dice.chance(0.6)) {
    return { ...value, [name]: inner.map((it) => (dice.chance(0.5) ? dice.of(ODD) : it)) };
  }
  return { ...value, [name]: dice.of(ODD) };
}

/** A text with a few characters changed, doubled, cut out, or its end missing. */
export function garbled(text: string, dice: Dice): string {
  let result = text;
  const changes = 1 + dice.below(5);
  for (let i = 0; i < changes; i++) {
    const at = dice.below(result.length + 1);
    const length = dice.below(12);
    const put = dice.of([
      '',
      '"',
      '{',
      ']',
      ',',
      '\\',
      '\\u',
      '\u0000',
      'e9',
      '💥',
      String.fromCharCode(dice.below(0xd800)),
    ]);
    if (dice.chance(0.1)) result = result.slice(0, at);
    else if (dice.chance(0.2))
      result = result.slice(0, at) + result.slice(at, at + length) + result.slice(at);
    else result = result.slice(0, at) + put + result.slice(at + length);
  }
  return result;
}
