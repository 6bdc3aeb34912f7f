/** What a client says and asks for, step by step: speech and pauses, and between them everything that is answered. */
import { CHUNK, marked, spoken } from '../fake-model.js';

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'hello', 'world'];

export interface Step {
  readonly audio: Int16Array;
  /** Asked for behind it. */
  readonly asks: 'finalize' | { readonly silence_duration: number } | null;
}

export interface Plan {
  readonly config: Record<string, unknown>;
  readonly steps: readonly Step[];
  /** Between two steps, milliseconds. */
  readonly stepMs: number;
}

/** @param seconds of audio */
export function planOf(random: () => number, seconds: number): Plan {
  const steps: Step[] = [];
  let left = 0; // steps of this speech or pause
  let isSpeech = false;
  for (let i = 0; i < seconds * 10; i++) {
    if (left-- <= 0) {
      isSpeech = !isSpeech;
      left = Math.floor(random() * (isSpeech ? 15 : 9));
    }
    const word = WORDS[Math.floor(random() * WORDS.length)] ?? 'one';
    const at = Math.floor(random() * CHUNK);
    const tokens: [number, string][] = random() < 0.5 ? [[at, word]] : [];
    steps.push({ audio: isSpeech ? spoken(CHUNK, tokens) : marked(CHUNK, []), asks: askedOf(random()) });
  }
  return {
    // Without partials there are few messages, and two servers are more likely to use the same numbers.
    config: { vad_events: true, silence_duration: 0.3, partials: random() < 0.6 },
    steps,
    stepMs: random() < 0.25 ? 30 : 100, // some send a file faster than it was spoken
  };
}

function askedOf(dice: number): Step['asks'] {
  if (dice < 0.02) return 'finalize';
  return dice < 0.04 ? { silence_duration: 0.2 + Math.round(dice * 1000) / 100 } : null;
}
