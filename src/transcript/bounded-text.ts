import { joinTexts } from './pieces.js';

export interface BoundedTextState {
  readonly texts: readonly string[];
  readonly truncated: boolean;
}

/**
 * The end of a long text: segments joined as in a transcript, of which the latest whole ones are kept, up to a number
 * of characters.
 */
export class BoundedText {
  /** Something before `text` was dropped. */
  truncated = false;
  private readonly texts: string[] = [];
  private first = 0;
  private chars = 0;
  private readonly maxChars: number;

  constructor(maxChars: number) {
    this.maxChars = maxChars;
  }

  add(text: string): void {
    this.texts.push(text);
    this.chars += text.length + 1;
    while (this.chars - 1 > this.maxChars && this.first < this.texts.length) {
      this.chars -= this.texts[this.first]!.length + 1; // first < length
      this.texts[this.first++] = '';
      this.truncated = true;
    }
    if (2 * this.first > this.texts.length) {
      this.texts.splice(0, this.first);
      this.first = 0;
    }
  }

  save(): BoundedTextState {
    return { texts: this.texts.slice(this.first), truncated: this.truncated };
  }

  /** Only on a new object. */
  restore({ texts, truncated }: BoundedTextState): void {
    this.truncated = truncated;
    for (const text of texts) this.add(text);
  }

  get text(): string {
    return joinTexts(this.texts.slice(this.first));
  }
}
