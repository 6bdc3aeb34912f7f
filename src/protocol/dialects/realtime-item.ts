/**
 * The items of an OpenAI Realtime session and the events that tell of them. One is open at most. Its deltas only ever
 * append, so they are taken from what is stable and from what was sent. Positions are samples at 16 kHz of the stream.
 */
import { LIMITS } from '../../limits.js';
import { spaceBetween } from '../../transcript/pieces.js';
import { toSeconds } from '../render.js';

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

interface Item {
  readonly id: string;
  /** Text of the segments that are complete. */
  text: string;
  /** What the deltas add up to. */
  sent: string;
  /** Something was said in it, stable or not. */
  hasWords: boolean;
  speech: 'unknown' | 'started' | 'stopped';
  /** Where nobody spoke any more, if a pause has not been told. */
  pausedAt: number | null;
}

const TRANSCRIPTION = 'conversation.item.input_audio_transcription';
const msOf = (samples: number): number => Math.max(0, Math.round(samples / (LIMITS.sampleRateHz / 1000)));
const joined = (before: string, text: string): string =>
  `${before}${before !== '' && text !== '' && spaceBetween(before, text) ? ' ' : ''}${text}`;

export class Items {
  private open: Item | null = null;
  private previousId: string | null = null;
  private count = 0;
  /** Where the audio of the open item, or of the next one, begins. */
  private since = 0;
  private readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  speechStarted(at: number): Event[] {
    if (this.open !== null) this.open.pausedAt = null;
    return this.announce(at);
  }

  /**
   * Clients take the beginning of a turn from this alone. An item whose speech stopped and in which nothing was said ends
   * here, empty.
   */
  announce(at: number): Event[] {
    const { open } = this;
    const isOver = open?.speech === 'stopped' && !open.hasWords;
    const before = isOver ? this.complete('', at) : [];
    const item = this.item();
    if (item.speech !== 'unknown') return before;
    item.speech = 'started';
    return [
      ...before,
      { type: 'input_audio_buffer.speech_started', audio_start_ms: msOf(at), item_id: item.id },
    ];
  }

  /** Nobody speaks. With words in the item this is a pause, which ends the turn or does not: its segment will say. */
  paused(at: number): Event[] {
    if (!this.open?.hasWords) return this.speechStopped(at);
    this.open.pausedAt = at;
    return [];
  }

  /** What was taken for words is none, so no segment will come of it. What was told of them stays. */
  silent(): Event[] {
    const { open } = this;
    if (open === null || open.sent !== '' || open.text !== '') return [];
    open.hasWords = false;
    return open.pausedAt === null ? [] : this.speechStopped(open.pausedAt);
  }

  /** The turn is over: clients take its end from this. @param at where it ended, if no pause says so */
  speechStopped(at: number): Event[] {
    const { open } = this;
    if (open?.speech !== 'started') return [];
    open.speech = 'stopped';
    const audio_end_ms = msOf(open.pausedAt ?? at);
    return [{ type: 'input_audio_buffer.speech_stopped', audio_end_ms, item_id: open.id }];
  }

  /**
   * The segment has words, of which `text` will not change any more.
   * @param at where the first of them began, if its speech is to be announced
   */
  words(text: string, at: number | null): Event[] {
    if (text === '') {
      if (this.open?.speech === 'started') this.open.hasWords = true;
      return [];
    }
    const before = at === null ? [] : this.announce(at);
    const item = this.item();
    item.hasWords = true;
    return [...before, ...this.delta(joined(item.text, text))];
  }

  /** A segment is complete, and the item goes on. */
  append(text: string): Event[] {
    const item = this.item();
    item.text = joined(item.text, text);
    return this.delta(item.text);
  }

  /** Characters of the open item. */
  get length(): number {
    return this.open?.text.length ?? 0;
  }

  /** The item ends with a segment. @param to where its audio ends */
  complete(text: string, to: number): Event[] {
    const item = this.item();
    const transcript = joined(item.text, text);
    const previous_item_id = this.previousId;
    const last = this.delta(transcript);
    const seconds = toSeconds(Math.max(0, to - this.since));
    this.forget(to);
    this.previousId = item.id;
    return [
      { type: 'input_audio_buffer.committed', item_id: item.id, previous_item_id },
      { type: 'conversation.item.added', previous_item_id, item: itemTold(item.id) },
      ...last,
      {
        type: `${TRANSCRIPTION}.completed`,
        item_id: item.id,
        content_index: 0,
        transcript,
        usage: { type: 'duration', seconds },
      },
    ];
  }

  /** Nothing more comes of the open item. */
  forget(to: number): void {
    this.open = null;
    this.since = Math.max(this.since, to);
  }

  private item(): Item {
    this.open ??= {
      id: `item_${this.prefix}${++this.count}`,
      text: '',
      sent: '',
      hasWords: false,
      speech: 'unknown',
      pausedAt: null,
    };
    return this.open;
  }

  private delta(text: string): Event[] {
    const item = this.item();
    // What was sent cannot be taken back; and it need not be, since only stable text is.
    if (text.length <= item.sent.length || !text.startsWith(item.sent)) return [];
    const delta = text.slice(item.sent.length);
    item.sent = text;
    return [{ type: `${TRANSCRIPTION}.delta`, item_id: item.id, content_index: 0, delta }];
  }
}

const itemTold = (id: string) => ({
  id,
  object: 'realtime.item',
  type: 'message',
  status: 'completed',
  role: 'user',
  content: [{ type: 'input_audio', transcript: null }],
});
