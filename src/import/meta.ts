/** Metadata of a foreign file: words that say what it is, of which any may be missing or wrong. */
import { ServerError } from '../errors.js';
import { type ModelProto, metaOf } from './onnx.js';

/** Why a source is refused, and what to do about it. */
export const unsupported = (reason: string, advice: string): ServerError =>
  new ServerError('MODEL_UNSUPPORTED', `${reason} ${advice}`);

const MOST = 1e6;
/** Entries of a list, and layers in a stack of an encoder: the deepest published ones have 6 and 24. */
const MOST_ENTRIES = 64;
export const MOST_LAYERS = 256;

export class Metadata {
  private readonly entries: Record<string, string>;

  /**
   * @param file whose metadata it is, for messages: "encoder"
   * @param exporter what writes it
   */
  constructor(
    model: ModelProto,
    private readonly file: string,
    private readonly exporter = 'the script of its recipe for streaming models (icefall: export-onnx-streaming.py)',
  ) {
    this.entries = metaOf(model);
  }

  text(key: string): string | undefined {
    return this.entries[key];
  }

  /** @throws ServerError MODEL_UNSUPPORTED if it is missing or no positive whole number */
  int(key: string, most = MOST): number {
    return this.ints(key, 1, most)[0] as number;
  }

  /**
   * A list, "2,2,3".
   * @throws ServerError MODEL_UNSUPPORTED if it is missing, has another length or holds anything but whole numbers from 1 to `most`
   */
  ints(key: string, length?: number, most = MOST): number[] {
    const text = this.entries[key];
    if (text === undefined) {
      throw unsupported(
        `The metadata of the ${this.file} has no ${key}.`,
        `Export it with ${this.exporter}, which writes it.`,
      );
    }
    const values = text.split(',', MOST_ENTRIES).map(Number);
    const right = values.every((it) => Number.isInteger(it) && it > 0 && it <= most);
    if (!right || (length !== undefined && values.length !== length)) {
      throw unsupported(
        `The metadata of the ${this.file} says ${key}=${text.slice(0, 40)}, which cannot be.`,
        'Export it again, or fetch the file again.',
      );
    }
    return values;
  }
}
