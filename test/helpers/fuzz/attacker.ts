/** A malicious or faulty client: its input is seeded, and everything it receives is checked. */
import assert from 'node:assert/strict';
import { ERRORS } from '../../../src/errors.js';
import { LIMITS } from '../../../src/limits.js';
import { SILENT_PACKET, webmOfPackets } from '../containers.js';
import { bytesOf, spoken } from '../fake-model.js';
import { addressOf, type Speech } from './corpus.js';
import { type Dice, garbled, mutated, written } from './mutate.js';
import { type Heard, OPCODE, RawSocket } from './raw-socket.js';

const MOST_MOVES = 24;
/** Share of inputs that exceed every limit. */
const RARELY = 0.004;

/** What is known of a broken session, for the client that resumes it. */
export interface Left {
  token: string | null;
}

/** Moves that end the conversation, since later input would be read as part of something else. */
const LAST_MOVES = ['goodbye', 'code', 'cut', 'half', 'garbage', 'short', 'rules', 'silent'] as const;

export class Attacker {
  readonly socket: RawSocket;
  readonly address: string;
  /** For a report: all its moves. */
  readonly moves: string[] = [];
  /** The reason in its own close frame, which the server repeats. */
  private ownReason = '';
  private readonly speech: Speech;
  private readonly dice: Dice;
  private readonly name: string;
  private marks = 0;

  constructor(port: number, speech: Speech, dice: Dice, name: string, left: Left) {
    this.speech = speech;
    this.dice = dice;
    this.name = name;
    this.socket = new RawSocket(port);
    let address = addressOf(speech, dice);
    if (speech.dialect === 'native' && left.token !== null && dice.chance(0.5)) {
      address = `/ws/transcribe?resumable=1&resume=${left.token}&last_seq=${dice.below(6)}`;
      left.token = null;
    }
    this.address = address;
  }

  /** Connects, makes its moves, and leaves in one way or another. */
  async run(left: Left): Promise<void> {
    const { socket, dice } = this;
    if (dice.chance(0.04)) return await this.noise();
    socket.upgrade(this.address, dice.chance(0.1) ? ['Sec-WebSocket-Protocol: a, b'] : []);
    await socket.until(() => socket.answered);
    if (socket.heard.status !== 101) {
      await socket.until(() => false);
      return;
    }
    const moves = dice.below(MOST_MOVES);
    for (let i = 0; i < moves && !this.over; i++) {
      this.move();
      if (dice.chance(0.4)) await this.settled();
    }
    if (!this.over) await this.leave();
    await socket.destroy();
    left.token = tokenIn(socket.heard) ?? left.token;
  }

  private get over(): boolean {
    return this.socket.gone || this.socket.heard.closeCode !== null;
  }

  private settled(): Promise<void> {
    this.marks++;
    this.socket.resume();
    return this.socket.settled(`m${this.marks}`);
  }

  /** A request that is not an upgrade. */
  private async noise(): Promise<void> {
    const { socket, dice } = this;
    this.moves.push('noise');
    const head = `GET ${this.address} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`;
    socket.write(
      dice.chance(0.5) ? dice.bytes(1 + dice.below(400)) : garbled(head, dice),
      1 + dice.below(40),
    );
    socket.half();
    await socket.until(() => false);
  }

  private move(): void {
    const { socket, dice, speech } = this;
    const roll = dice.below(100);
    const message = dice.of(speech.messages);
    if (roll < 22) this.say('text', JSON.stringify(message));
    else if (roll < 42) this.say('mutated', written(mutated(message, dice)));
    else if (roll < 50) this.say('garbled', garbled(JSON.stringify(message), dice));
    else if (roll < 53)
      this.note('JSON in bytes').frame({
        opcode: OPCODE.binary,
        payload: Buffer.from(JSON.stringify(message)),
      });
    else if (roll < 82)
      this.note('audio').frame({ opcode: OPCODE.binary, payload: this.audio() }, this.pieces());
    else if (roll < 88) this.fragments(JSON.stringify(message));
    else if (roll < 92)
      this.note('ping').frame({ opcode: OPCODE.ping, payload: dice.bytes(dice.below(126)) });
    else if (roll < 96) {
      const payload = dice.of(['', '1', '-1', '1.5', '1e999', '99999999999', 'NaN', '0x10', ' 7 ', '\u0000']);
      this.note(`pong ${payload}`).frame({ opcode: OPCODE.pong, payload: Buffer.from(payload) });
    } else if (roll < 98) {
      for (let i = 0; i < 80; i++) this.say('many', JSON.stringify(message));
    } else if (dice.chance(50 * RARELY)) {
      const payload = Buffer.alloc(
        dice.of([LIMITS.maxFrameBytes, LIMITS.maxFrameBytes + 1, 2 * LIMITS.maxFrameBytes + 1]),
        32,
      );
      this.note('large').frame({ opcode: dice.of([OPCODE.text, OPCODE.binary]), payload });
    } else socket.pause();
    if (roll < 98) socket.resume();
  }

  private note(what: string): RawSocket {
    this.moves.push(what);
    return this.socket;
  }

  private say(kind: string, text: string): void {
    this.note(`${kind}: ${text.slice(0, 200)}`).text(text);
  }

  private pieces(): number | undefined {
    return this.dice.chance(0.1) ? 1 + this.dice.below(700) : undefined;
  }

  /** Sound with words in it, noise, a header, or half a sample. */
  private audio(): Uint8Array {
    const { dice } = this;
    const kind = dice.below(10);
    if (kind === 0) return dice.bytes(dice.below(3));
    if (kind === 1) return dice.bytes(dice.below(20_000));
    if (kind === 2)
      return Buffer.concat([Buffer.from('RIFF\u0010\u0000\u0000\u0000WAVEfmt '), dice.bytes(dice.below(60))]);
    if (kind === 4) {
      const webm = webmOfPackets([[dice.below(20_000), SILENT_PACKET]]);
      return dice.chance(0.5) ? webm : Buffer.concat([webm, dice.bytes(dice.below(40))]);
    }
    const sound = bytesOf(spoken(1 + dice.below(8_000), [[0, 'hello']]));
    return kind === 3 ? sound.subarray(1) : sound;
  }

  private fragments(text: string): void {
    const { dice } = this;
    const bytes = Buffer.from(text);
    const socket = this.note(`fragments: ${text.slice(0, 200)}`);
    let opcode: number = dice.of([OPCODE.text, OPCODE.binary]);
    for (let at = 0; at <= bytes.length; ) {
      const length = 1 + dice.below(bytes.length);
      socket.frame(
        { opcode, payload: bytes.subarray(at, at + length), fin: at + length > bytes.length },
        this.pieces(),
      );
      if (dice.chance(0.2)) socket.frame({ opcode: OPCODE.ping, payload: Buffer.from('between') });
      opcode = OPCODE.more;
      at += length;
    }
  }

  private async leave(): Promise<void> {
    const { socket, dice } = this;
    const move = dice.of(LAST_MOVES);
    this.moves.push(move);
    socket.resume();
    switch (move) {
      case 'goodbye':
        socket.frame({ opcode: OPCODE.close, payload: Buffer.from([3, 232]) });
        return await socket.until(() => socket.heard.closeCode !== null);
      case 'code': {
        const payload = dice.bytes(dice.below(40)); // a code or none, a reason that is rarely UTF-8
        this.ownReason = payload.toString('utf8', 2);
        socket.frame({ opcode: OPCODE.close, payload });
        return await socket.until(() => socket.heard.closeCode !== null);
      }
      case 'half':
        socket.half();
        return await socket.until(() => false);
      case 'garbage':
        socket.write(dice.bytes(1 + dice.below(3_000)), this.pieces());
        break;
      case 'short':
        socket.frame({
          opcode: OPCODE.binary,
          payload: dice.bytes(10),
          claimed: dice.of([11, 70_000, 2 ** 40]),
        });
        break;
      case 'rules': {
        const payload = dice.bytes(dice.below(200));
        this.ownReason = payload.toString('utf8', 2); // if it happens to be a close
        socket.frame({
          opcode: dice.below(16),
          payload,
          fin: dice.chance(0.5),
          masked: dice.chance(0.5),
          reserved: dice.below(8),
        });
        break;
      }
      case 'silent':
        return await this.settled();
      case 'cut':
    }
  }

  /** Checks that every answer is well-formed and every error code is in the table. */
  check(): void {
    const about = `${this.name}, ${this.address}: ${this.moves.join(' | ')}`;
    try {
      checkHeard(this.speech.dialect, this.socket.heard, this.ownReason);
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${about}`, { cause });
    }
  }
}

const tokenIn = ({ texts }: Heard): string | null => {
  const tokens = texts
    .map((text) => JSON.parse(text).resume_token)
    .filter((token) => typeof token === 'string');
  return tokens.at(-1) ?? null;
};

/**
 * Close codes that ws itself sends to a client that violates the protocol: protocol, data, UTF-8, size; 1000, 1005:
 * normal.
 */
const WS_CODES = [1000, 1002, 1003, 1005, 1007, 1009];
const isCode = (code: unknown): boolean => typeof code === 'string' && Object.hasOwn(ERRORS, code);

/** @param ownReason of the close frame that the client sent: the answer repeats it */
function checkHeard(dialect: string, heard: Heard, ownReason: string): void {
  if (heard.status !== 101 && heard.status !== 0) {
    assert.ok(
      heard.status >= 400 && heard.status < 600 && heard.status !== 500,
      `status ${heard.status}: ${heard.refusal}`,
    );
    return;
  }
  if (
    heard.closeCode !== null &&
    heard.closeReason !== ownReason &&
    !isCode(heard.closeReason) &&
    !heard.closeReason.startsWith('DATA-0000: ')
  ) {
    assert.equal(heard.closeReason, '', `closed with ${heard.closeCode}`);
    assert.ok(
      WS_CODES.includes(heard.closeCode) || heard.closeCode < 1000 || heard.closeCode >= 3000,
      `${heard.closeCode}`,
    );
  }
  assert.ok(!['INTERNAL', 'ENGINE_FAILED'].includes(heard.closeReason), heard.closeReason);
  for (const text of heard.texts) checkMessage(dialect, JSON.parse(text), text);
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the server says
function checkMessage(dialect: string, message: any, text: string): void {
  assert.doesNotMatch(text, /"(?:INTERNAL|ENGINE_FAILED|internal|engine_failed)"|Internal server error/);
  if (dialect === 'native' && (message.type === 'error' || message.type === 'warning'))
    assert.ok(isCode(message.code), text);
  if (dialect === 'deepgram' && message.type === 'Error') {
    assert.ok(message.variant === 'SchemaError' || isCode(message.variant), text);
  }
  if (dialect === 'openai' && message.type === 'error') {
    assert.ok(typeof message.error.code === 'string' && /^[a-z_]+$/.test(message.error.code), text);
  }
  if (dialect === 'assemblyai' && message.type === 'Error')
    assert.ok(Number.isInteger(message.error_code), text);
}
