/** A progress line on a terminal: how much of a file is done, and how many times faster than real time. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const SAMPLES_PER_SECOND = 16_000;
const BAR_CHARS = 20;
const UPDATE_MS = 100;
const DEFAULT_COLUMNS = 80;
const CLEAR_LINE = '\r\x1b[K';

export class ProgressBar {
  private readonly startedMs: number;
  private shownMs = Number.NEGATIVE_INFINITY;
  private visible = false;

  constructor(
    private readonly terminal: Terminal,
    private readonly name: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.startedMs = now();
  }

  /**
   * @param samples done so far, at 16 kHz
   * @param total samples; null if unknown
   */
  update(samples: number, total: number | null): void {
    const nowMs = this.now();
    if (!this.terminal.isTTY || nowMs - this.shownMs < UPDATE_MS) return;
    this.shownMs = nowMs;
    const line = progressLine(this.name, samples, total, nowMs - this.startedMs);
    const columns = this.terminal.columns ?? DEFAULT_COLUMNS;
    this.terminal.write(`${CLEAR_LINE}${line.slice(0, columns - 1)}`);
    this.visible = true;
  }

  /** Clears the line; to be called before other output. */
  clear(): void {
    if (this.visible) this.terminal.write(CLEAR_LINE);
    this.visible = false;
  }
}

/** `[#######.............]  35 %  12.4× real time  talk.mp3` */
export function progressLine(name: string, samples: number, total: number | null, elapsedMs: number): string {
  const seconds = samples / SAMPLES_PER_SECOND;
  const speed = elapsedMs > 0 ? `${(seconds / (elapsedMs / 1000)).toFixed(1)}× real time` : '';
  if (total === null || total === 0) return `${seconds.toFixed(0)} s  ${speed}  ${name}`;
  const share = Math.min(1, samples / total);
  const done = Math.round(share * BAR_CHARS);
  const bar = '#'.repeat(done) + '.'.repeat(BAR_CHARS - done);
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${speed}  ${name}`;
}
