/** Bytes that arrive in pieces of any length, read as one stream by a waiting reader. */
export class ByteSource {
  private readonly onDry: () => Promise<void>;
  private readonly onRead: () => void;
  private readonly pieces: Uint8Array[] = [];
  private length = 0;
  private ended = false;
  private wake: (() => void) | null = null;
  /** Bytes read so far. */
  position = 0;

  /**
   * @param onDry all bytes are read and more are needed: the reader waits for its promise, and for more bytes
   * @param onRead the reader asks for bytes
   */
  constructor(onDry: () => Promise<void> = () => Promise.resolve(), onRead: () => void = () => {}) {
    this.onDry = onDry;
    this.onRead = onRead;
  }

  push(bytes: Uint8Array): void {
    this.pieces.push(bytes);
    this.length += bytes.length;
    this.wake?.();
  }

  /** No more bytes will come. */
  end(): void {
    this.ended = true;
    this.wake?.();
  }

  /** The rest is not needed. */
  abandon(): void {
    this.pieces.length = 0;
    this.length = 0;
    this.end();
  }

  /** Waits for `count` bytes; false if the stream ends before. */
  async has(count: number): Promise<boolean> {
    this.onRead();
    while (this.length < count && !this.ended) {
      const before = this.length;
      await this.onDry();
      if (this.length > before || this.ended) continue;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = null;
    }
    return this.length >= count;
  }

  /** The next available bytes (see `has`), without consuming them. */
  peek(count: number): Uint8Array {
    const first = this.pieces[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    const all = new Uint8Array(count);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece.subarray(0, count - at), at);
      at = Math.min(count, at + piece.length);
      if (at === count) break;
    }
    return all;
  }

  /** Consumes the next available bytes. */
  take(count: number): Uint8Array {
    const bytes = this.peek(count);
    this.drop(count);
    return bytes;
  }

  /** Skips bytes that may not have arrived; false if the stream ends before. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > 0) {
      if (!(await this.has(1))) return false;
      const part = Math.min(left, this.length);
      this.drop(part);
      left -= part;
    }
    return true;
  }

  /** The next piece as it arrived, or the rest of it; null at the end. */
  async piece(): Promise<Uint8Array | null> {
    if (!(await this.has(1))) return null;
    const piece = this.pieces.find(({ length }) => length > 0)!; // `has` saw to it
    return this.take(piece.length);
  }

  private drop(count: number): void {
    this.position += count;
    this.length -= count;
    let left = count;
    while (left > 0) {
      const first = this.pieces[0]!; // as many are there
      if (first.length > left) {
        this.pieces[0] = first.subarray(left);
        return;
      }
      left -= first.length;
      this.pieces.shift();
    }
  }
}
