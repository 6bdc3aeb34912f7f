/** Metadata of a foreign file: entries that describe it. Any of them may be missing or wrong. */
import { ServerError } from '../errors.js';
import { type ModelProto, metaOf } from './onnx.js';

/** An error with the reason for a refusal and the remedy. */
export const unsupported = (reason: string, advice: string): ServerError =>
  new ServerError('MODEL_UNSUPPORTED', `${reason} ${advice}`);

const MOST = 1e6;
/** Longest list, and most layers in an encoder stack. The deepest published encoders have 6 and 24. */
const MOST_ENTRIES = 64;
export const MOST_LAYERS = 256;

export class Metadata {
  private readonly entries: Record<string, string>;

  /**
   * @param file that the metadata describes, for messages: "encoder"
   * @param exporter the program that writes it
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

  /** @throws ServerError MODEL_UNSUPPORTED if it is missing or not a positive integer */
  int(key: string, most = MOST): number {
    return this.ints(key, 1, most)[0] as number;
  }

  /**
   * A list such as "2,2,3".
   * @throws ServerError MODEL_UNSUPPORTED if it is missing, has another length or holds anything but integers from 1 to
   * `most`
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
        `The metadata of the ${this.file} says ${key}=${text.slice(0, 40)}, which is not valid.`,
        'Export it again, or download the file again.',
      );
    }
    return values;
  }
}
