/** A malicious HTTP client: seeded files, forms and headers, cut short, with wrong lengths, or never ended. */
import assert from 'node:assert/strict';
import { bytesOf, spoken } from '../fake-model.js';
import { pcm16Wav } from '../wav.js';
import { type Dice, garbled } from './mutate.js';
import { RawSocket } from './raw-socket.js';

const PATHS = [
  '/transcribe/file', '/transcribe/file?stream=1', '/transcribe/file?format=srt&hotwords=a:1e9&multichannel=true', '/v1/audio/transcriptions',
  '/v1/listen?encoding=linear16&sample_rate=16000', '/v1/models', '/transcribe/file?encoding=pcm16&sample_rate=8000&channels=2', '/health',
  '/ws/status', '/auth/token', '/static/../package.json', '/%', '/ws/transcribe', '/docs/openapi.json',
]; // biome-ignore format: a table
const BOUNDARY = 'xyz';

export class Uploader {
  readonly moves: string[] = [];
  readonly address: string;
  private readonly socket: RawSocket;
  private readonly dice: Dice;
  private readonly name: string;

  constructor(port: number, dice: Dice, name: string) {
    this.dice = dice;
    this.name = name;
    this.address = dice.of(PATHS);
    this.socket = new RawSocket(port);
  }

  async run(): Promise<void> {
    const { socket, dice } = this;
    const body = this.body();
    const length = dice.chance(0.7) ? body.length : dice.of([0, 1, body.length + 100, -1, 2 ** 40]);
    const framing = dice.chance(0.1) ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`;
    const head = [
      `${dice.of(['POST', 'POST', 'POST', 'GET', 'PUT', 'HEAD', 'OPTIONS'])} ${this.address} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Connection: close',
      `Content-Type: ${dice.of(['audio/wav', `multipart/form-data; boundary=${BOUNDARY}`, 'application/json', 'multipart/form-data', 'x'])}`,
      framing,
    ].join('\r\n');
    const sent = dice.chance(0.1) ? garbled(head, dice) : head;
    this.moves.push(sent);
    socket.write(`${sent}\r\n\r\n`);
    socket.write(
      body.subarray(0, dice.chance(0.2) ? dice.below(body.length + 1) : body.length),
      this.pieces(),
    );
    if (dice.chance(0.3)) await socket.destroy();
    else socket.half(); // what is missing never comes
    await socket.until(() => false);
  }

  private pieces(): number | undefined {
    return this.dice.chance(0.2) ? 500 + this.dice.below(4_000) : undefined;
  }

  private body(): Buffer {
    const { dice } = this;
    const wav = Buffer.from(pcm16Wav(spoken(1 + dice.below(20_000), [[0, 'hello']])));
    for (let i = dice.below(4); i > 0; i--) wav[dice.below(60) % wav.length] = dice.below(256);
    const kind = dice.below(5);
    if (kind === 0) return wav;
    if (kind === 1) return dice.bytes(dice.below(3_000));
    if (kind === 2) return Buffer.from(bytesOf(spoken(1 + dice.below(9_000))));
    const part = (name: string) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"`;
    const fields = `${part('response_format')}\r\n\r\nverbose_json\r\n${part('keywords[]')}\r\n\r\nhello:3\r\n${part('file')}; filename="a.wav"\r\n\r\n`;
    const head = dice.chance(0.5) ? fields : garbled(fields, dice);
    return Buffer.concat([Buffer.from(head), wav, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
  }

  check(): void {
    const { status, refusal } = this.socket.heard;
    const about = `${status} ${refusal.slice(0, 300)}\n${this.name}: ${this.moves.join(' | ')}`;
    assert.ok(status === 0 || (status >= 200 && status < 600 && status !== 500), about);
    if (this.address === '/docs/openapi.json') return; // it names all codes
    assert.doesNotMatch(
      refusal,
      /"(?:INTERNAL|ENGINE_FAILED|internal|engine_failed)"|Internal server error/,
      about,
    );
  }
}
