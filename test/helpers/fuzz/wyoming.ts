/** A malicious client of Wyoming's port: seeded lines, lengths and payloads, in pieces of any size. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { ERRORS } from '../../../src/errors.js';
import { bytesOf, spoken } from '../fake-model.js';
import { framed, unframed } from '../wyoming-client.js';
import { type Dice, garbled, mutated, written } from './mutate.js';

const MESSAGES: readonly { readonly type: string; readonly data?: object }[] = [
  { type: 'describe' },
  { type: 'ping', data: { text: 'x' } },
  { type: 'transcribe', data: { language: 'en', transcript_names: ['hello'], transcript_terms: [] } },
  { type: 'audio-start', data: { rate: 16_000, width: 2, channels: 1 } },
  { type: 'audio-chunk', data: { rate: 22_050, width: 2, channels: 2 } },
  { type: 'audio-stop', data: { timestamp: 5 } },
];
const MOST_MOVES = 16;

export class WyomingAttacker {
  readonly address = 'wyoming';
  readonly moves: string[] = [];
  private readonly port: number;
  private readonly dice: Dice;
  private readonly name: string;
  private heard: Buffer = Buffer.alloc(0);

  constructor(port: number, dice: Dice, name: string) {
    this.port = port;
    this.dice = dice;
    this.name = name;
  }

  async run(): Promise<void> {
    const socket = connect(this.port, '127.0.0.1');
    const over = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      this.heard = Buffer.concat([this.heard, data]);
    });
    const bytes = Buffer.concat(Array.from({ length: 1 + this.dice.below(MOST_MOVES) }, () => this.move()));
    for (let at = 0; at < bytes.length && socket.writable; ) {
      const length = 1 + this.dice.below(this.dice.of([50, 4_000, 60_000]));
      await new Promise((resolve) => socket.write(bytes.subarray(at, at + length), resolve));
      at += length;
    }
    if (this.dice.chance(0.3)) socket.destroy();
    else socket.end();
    await over;
  }

  private move(): Buffer {
    const { dice } = this;
    const { type, data = {} } = dice.of(MESSAGES);
    this.moves.push(type);
    const sound = dice.chance(0.5)
      ? bytesOf(spoken(1 + dice.below(6_000), [[0, 'hello']]))
      : dice.bytes(dice.below(99));
    const payload = type === 'audio-chunk' || dice.chance(0.1) ? sound : new Uint8Array(0);
    if (dice.chance(0.6)) return framed(type, data, payload, dice.chance(0.3));
    const line = { type, data, data_length: dice.of([0, 0, 3, 70_000]), payload_length: payload.length };
    const text = dice.chance(0.5) ? written(mutated(line, dice)) : garbled(JSON.stringify(line), dice);
    this.moves.push(text.slice(0, 200));
    return Buffer.concat([Buffer.from(`${text}\n`), payload]);
  }

  check(): void {
    const about = `${this.name}: ${this.moves.join(' | ')}`;
    for (const { type, data } of unframed(this.heard).messages) {
      if (type !== 'error') continue;
      assert.ok(Object.hasOwn(ERRORS, data.code), `${data.code}, ${about}`);
      assert.ok(data.code !== 'INTERNAL' && data.code !== 'ENGINE_FAILED', `${data.code}, ${about}`);
    }
  }
}
