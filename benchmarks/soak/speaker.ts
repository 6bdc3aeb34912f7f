/** A client that does one thing after another and knows the expected transcript. */
import { setTimeout as wait } from 'node:timers/promises';
import type { BreakingNetwork } from '../../test/helpers/breaking-network.js';
import { assertSame, FORMATS, type Format, formatted, itemsOf, record } from '../../test/helpers/cut-runs.js';
import { clips, loadClip } from '../../test/helpers/fixtures.js';
import type { LiveServer } from '../../test/helpers/live-server.js';
import { pcm16Wav } from '../../test/helpers/wav.js';
import { bytesOf, cut, type Message, TestClient } from '../../test/helpers/ws-client.js';

const PIECE = 3_200;
const PIECE_MS = 100;

/**
 * The first transcript of each clip for each way of sending it. Shared, since the same speech must give the same words.
 */
const known = new Map<string, readonly string[]>();

const wordsOf = (told: readonly Message[]): string[] =>
  told
    .filter(({ type }) => type === 'transcription')
    .flatMap(({ text }) => String(text).split(' ').filter(Boolean));

export class Speaker {
  readonly counts = {
    spoken: 0,
    cut: 0,
    reconnections: 0,
    vanished: 0,
    uploads: 0,
    visits: 0,
    words: 0,
    wordsLost: 0,
    different: 0,
  };
  private readonly name: string;
  private readonly live: LiveServer;
  private readonly proxy: BreakingNetwork;
  private readonly random: () => number;
  private turns = 0;

  constructor(name: string, live: LiveServer, proxy: BreakingNetwork, random: () => number) {
    this.name = name;
    this.live = live;
    this.proxy = proxy;
    this.random = random;
  }

  async churn(isOver: () => boolean): Promise<void> {
    const acts = [this.speak, this.cut, this.cut, this.vanish, this.upload, this.visit];
    while (!isOver()) {
      this.turns++;
      const act = acts[this.below(acts.length)] ?? this.visit;
      await act.call(this);
      await wait(this.below(500));
    }
  }

  private below(most: number): number {
    return Math.floor(this.random() * most);
  }

  /** A limited number of clips, so that each is repeated often. */
  private async clip(): Promise<{ name: string; samples: Int16Array }> {
    const { file } = clips[this.below(8)] ?? { file: '' };
    return { name: file, samples: await loadClip(file) };
  }

  private compare(what: string, words: readonly string[]): void {
    const before = known.get(what);
    known.set(what, before ?? words);
    this.counts.words += words.length;
    if (before === undefined || before.join(' ') === words.join(' ')) return;
    this.counts.different++;
    this.counts.wordsLost += Math.max(0, before.length - words.length);
    process.stderr.write(`${what}: "${words.join(' ')}" instead of "${before.join(' ')}"\n`);
  }

  /** In real time. */
  private async speak(): Promise<void> {
    const { name, samples } = await this.clip();
    const client = await TestClient.open(this.live.ws);
    client.say({ type: 'start_recording' });
    await client.until('recording_started');
    for (const piece of cut(bytesOf(samples), PIECE)) {
      await client.audio(piece);
      await wait(PIECE_MS);
    }
    client.say({ type: 'stop_recording' });
    await client.until('recording_stopped');
    await client.close();
    this.counts.spoken++;
    this.compare(`${name} at 16000`, wordsOf(client.received));
  }

  /** Over a connection that breaks three times at random bytes; compared with an unbroken one. */
  private async cut(): Promise<void> {
    const { samples } = await this.clip();
    const format: Format = FORMATS[this.below(FORMATS.length)] ?? FORMATS[0]!; // there are three
    const bytes = formatted(samples, format);
    const items = itemsOf(bytes, format.frameBytes, this.random);
    const options = { ...format, config: { ...format.config, vad_events: true, silence_duration: 0.3 } };
    const alone = await record(this.live.ws, items, {
      ...options,
      clientId: `${this.name}-${this.turns}-whole`,
    });
    for (let i = 0; i < 3; i++) {
      this.proxy.plans.push({
        up: 500 + this.below(bytes.length / 2),
        down: Number.POSITIVE_INFINITY,
        kind: 'cut',
      });
    }
    const run = await record(this.proxy.ws, items, { ...options, clientId: `${this.name}-${this.turns}` });
    this.proxy.plans.length = 0;
    this.counts.cut++;
    this.counts.reconnections += run.client.reconnections;
    const [wanted, told] = [wordsOf(alone.told), wordsOf(run.told)];
    this.counts.words += told.length;
    try {
      assertSame(run.told, alone.told, this.name);
    } catch (error) {
      this.counts.different++;
      this.counts.wordsLost += Math.max(0, wanted.length - told.length);
      process.stderr.write(`${error}\n`);
    }
  }

  /** Disconnects in mid-sentence; half of these clients could resume but do not. */
  private async vanish(): Promise<void> {
    const { samples } = await this.clip();
    const client = await TestClient.recording(`${this.live.ws}?resumable=${this.below(2)}`);
    const pieces = [...cut(bytesOf(samples), PIECE)].slice(0, 5 + this.below(20));
    for (const piece of pieces) await client.audio(piece);
    client.socket.terminate();
    await client.closed();
    this.counts.vanished++;
  }

  private async upload(): Promise<void> {
    const { name, samples } = await this.clip();
    const answer = await fetch(`${this.live.http}/transcribe/file`, {
      method: 'POST',
      body: pcm16Wav(samples),
    });
    const { text, code } = (await answer.json()) as { text?: string; code?: string };
    if (code === 'TOO_MANY_UPLOADS') return;
    this.counts.uploads++;
    this.compare(`${name} as a file`, (text ?? `refused: ${code}`).split(' '));
  }

  private async visit(): Promise<void> {
    const client = await TestClient.open(this.live.ws);
    client.say({ type: 'ping' });
    await client.until('pong');
    await client.close();
    this.counts.visits++;
  }
}
