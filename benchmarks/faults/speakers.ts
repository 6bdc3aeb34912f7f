/** Speakers in real time, by the client library: what they were told, and how long they waited for it. */
import { RNNTClient } from 'rnnt-server/client';
import { clips, loadClip } from '../../test/helpers/fixtures.js';

const SPOKEN_SECONDS = 24;

export interface Told {
  /** Each word with its times. */
  readonly words: readonly string[];
  /** When partials and finals came, ms, from the start of the recording on. */
  readonly results: readonly number[];
}

/** One after the other, a second apart; each speaker begins with another clip. */
async function speechOf(speaker: number): Promise<Int16Array> {
  const speech = new Int16Array(SPOKEN_SECONDS * 16_000);
  let at = 0;
  for (let clip = speaker; at < speech.length; clip++) {
    const part = await loadClip(clips[clip % clips.length]!.file); // within
    speech.set(part.subarray(0, speech.length - at), at);
    at += part.length + 16_000;
  }
  return speech;
}

/** One speaker, who reconnects after every failure. */
async function speak(url: string, speaker: number): Promise<Told> {
  const client = new RNNTClient({ url });
  const results: number[] = [];
  const hear = (): void => void results.push(performance.now());
  client.on('partial', hear);
  client.on('transcription', hear);
  await client.start({ words: true });
  hear();
  await client.sendAll(await speechOf(speaker), { speed: 1 });
  const { segments, lost } = await client.stop();
  client.close();
  if (lost.length > 0) throw new Error(`lost: ${JSON.stringify(lost)}`);
  const words = segments.flatMap((segment) =>
    segment.words.map(({ word, start, end }) => `${word} ${start.toFixed(3)} ${end.toFixed(3)}`),
  );
  return { words, results };
}

export const speakAll = (url: string, streams: number): Promise<Told[]> =>
  Promise.all(Array.from({ length: streams }, (_, i) => speak(url, i)));

interface Wait {
  readonly ms: number;
  readonly untilMs: number;
}

/** The longest wait for a result that overlaps this time. */
function longestWait({ results }: Told, fromMs: number, toMs: number): Wait {
  let longest: Wait = { ms: 0, untilMs: fromMs };
  for (const [i, ms] of results.entries()) {
    const before = results[i - 1] ?? ms;
    if (before < toMs && ms > fromMs && ms - before > longest.ms) longest = { ms: ms - before, untilMs: ms };
  }
  return longest;
}

/** Figures of speakers between two moments, compared with undisturbed ones. */
export function figuresOf(
  told: readonly Told[],
  undisturbed: readonly Told[],
  [fromMs, toMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
) {
  let words = 0;
  let wrong = 0;
  for (const [i, { words: expected }] of undisturbed.entries()) {
    const heard = told[i]?.words ?? [];
    words += expected.length;
    wrong += expected.filter((word) => !heard.includes(word)).length;
    wrong += Math.max(0, heard.length - expected.length);
  }
  const waits = told.map((it) => longestWait(it, fromMs, toMs));
  return {
    words,
    words_lost_or_changed: wrong,
    /** From the first moment to the end of the longest wait, of the speaker who waited until last. */
    recovered_ms: Math.round(Math.max(...waits.map(({ untilMs }) => untilMs)) - fromMs),
    longest_silence_ms: Math.round(Math.max(...waits.map(({ ms }) => ms))),
  };
}
