/**
 * The items of an OpenAI Realtime session and their events. At most one item is open. Deltas can only append, so they
 * are made from stable text. Positions are samples at 16 kHz of the stream.
 */
import { LIMITS } from '../../limits.js';
import { spaceBetween } from '../../transcript/pieces.js';
import { toSeconds } from '../render.js';

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

interface Item {
  readonly id: string;
  /** Text of the completed segments. */
  text: string;
  /** The text sent as deltas so far. */
  sent: string;
  /** Something was said in it, stable or not. */
  hasWords: boolean;
  speech: 'unknown' | 'started' | 'stopped';
  /** Where speech ended, if the pause has not been announced. */
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
   * Announces the start of a turn, for which clients have no other sign. An open item whose speech stopped without any
   * words ends here, empty.
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

  /** Speech stopped. If the item has words, this pause may or may not end the turn; its segment decides. */
  paused(at: number): Event[] {
    if (!this.open?.hasWords) return this.speechStopped(at);
    this.open.pausedAt = at;
    return [];
  }

  /** The supposed words turned out to be none, so no segment will come. Deltas already sent remain. */
  silent(): Event[] {
    const { open } = this;
    if (open === null || open.sent !== '' || open.text !== '') return [];
    open.hasWords = false;
    return open.pausedAt === null ? [] : this.speechStopped(open.pausedAt);
  }

  /**
   * Announces the end of a turn, for which clients have no other sign.
   * @param at where it ended, if no pause gives the position
   */
  speechStopped(at: number): Event[] {
    const { open } = this;
    if (open?.speech !== 'started') return [];
    open.speech = 'stopped';
    const audio_end_ms = msOf(open.pausedAt ?? at);
    return [{ type: 'input_audio_buffer.speech_stopped', audio_end_ms, item_id: open.id }];
  }

  /**
   * The segment has words; `text` is the part that will not change any more.
   * @param at where the first of them began, if speech is to be announced
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

  /** A segment is complete, and the item continues. */
  append(text: string): Event[] {
    const item = this.item();
    item.text = joined(item.text, text);
    return this.delta(item.text);
  }

  /** Characters of the open item. */
  get length(): number {
    return this.open?.text.length ?? 0;
  }

  /**
   * A segment ends the item.
   * @param to end of its audio
   */
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

  /** Drops the open item; nothing more is sent for it. */
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
    // Sent text cannot be retracted. It need not be, since only stable text is sent.
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
