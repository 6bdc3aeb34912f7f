/**
 * Weights stored in files next to an ONNX file ("external data"). The files are checked and get new names in the
 * imported model. An ONNX file names them by a path, which is not to be trusted.
 */
import { realpathSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { unsupported } from './meta.js';
import { type AttributeProto, type GraphProto, isExternal, nameOf, type TensorProto, TYPE } from './onnx.js';

/** Bytes of an element; tensors of other types are kept without a check of their length. */
const BYTES: Record<number, number> = {
  [TYPE.float]: 4,
  [TYPE.uint8]: 1,
  [TYPE.int8]: 1,
  [TYPE.int32]: 4,
  [TYPE.int64]: 8,
  [TYPE.bool]: 1,
  [TYPE.float16]: 2,
  [TYPE.double]: 8,
};

/** The weight files: the path of each, by its name in the imported model. */
export class ExternalFiles {
  /** Name in the imported model → path. */
  readonly files = new Map<string, string>();
  private readonly names = new Map<string, string>();
  private readonly sizes = new Map<string, number>();

  /**
   * The graph, with its external tensors pointing to files under their new names.
   * @param folder of the ONNX file; its data must lie inside
   * @throws ServerError MODEL_UNSUPPORTED for a path that leaves the folder, MODEL_MISSING, MODEL_CORRUPT
   */
  claim(graph: GraphProto, folder: string): GraphProto {
    const tensorOf = (it: TensorProto): TensorProto => (isExternal(it) ? this.claimTensor(it, folder) : it);
    const attributeOf = (it: AttributeProto): AttributeProto => {
      if (it.t !== undefined && isExternal(it.t)) return { ...it, t: tensorOf(it.t) };
      return it.g === undefined ? it : { ...it, g: this.claim(it.g, folder) };
    };
    const nodes = graph.nodes.map((node) =>
      node.attributes.some(({ t, g }) => t !== undefined || g !== undefined)
        ? { ...node, attributes: node.attributes.map(attributeOf) }
        : node,
    );
    return { ...graph, nodes, initializers: graph.initializers.map(tensorOf) };
  }

  private claimTensor(it: TensorProto, folder: string): TensorProto {
    const entry = (key: string) => it.external.find((one) => one.key === key)?.value;
    const location = entry('location') ?? '';
    const path = insidePath(folder, location, nameOf(it));
    const offset = wholeNumber(entry('offset') ?? '0', it);
    const elements = it.dims.reduce((n, d) => n * d, 1);
    const wanted = (BYTES[it.type ?? 0] ?? 0) * elements;
    const length = entry('length') === undefined ? wanted : wholeNumber(entry('length') ?? '', it);
    if ((wanted > 0 && length !== wanted) || offset + length > this.sizeOf(path)) {
      throw new ServerError(
        'MODEL_CORRUPT',
        `The weights ${nameOf(it)} are incomplete in ${location}: download that file again.`,
      );
    }
    const external = it.external.map((one) =>
      one.key === 'location' ? { key: 'location', value: this.nameOf(path) } : one,
    );
    return { ...it, external };
  }

  private nameOf(path: string): string {
    const known = this.names.get(path);
    if (known !== undefined) return known;
    if (this.files.size >= LIMITS.maxExternalFiles) {
      throw unsupported('Its weights are in too many files.', 'Save it with all external data in one file.');
    }
    const name = `weights-${this.files.size}.data`;
    this.names.set(path, name);
    this.files.set(name, path);
    return name;
  }

  private sizeOf(path: string): number {
    const known = this.sizes.get(path) ?? statSync(path).size;
    this.sizes.set(path, known);
    return known;
  }
}

function wholeNumber(text: string, it: TensorProto): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ServerError(
    'MODEL_CORRUPT',
    `The offset or length of the weights ${nameOf(it)} is not a number: ${text.slice(0, 40)}.`,
  );
}

/** The real path of a data file, after following links. It must lie in the folder of its ONNX file. */
function insidePath(folder: string, location: string, tensor: string): string {
  const leaves =
    isAbsolute(location) || location.split(/[/\\]/).includes('..') || /^[a-zA-Z]:|\0/.test(location);
  if (location === '' || leaves) throw outside(location, tensor);
  const path = join(folder, location);
  let real: string;
  let stats: Stats;
  try {
    real = realpathSync(path);
    stats = statSync(real);
  } catch (cause) {
    throw new ServerError('MODEL_MISSING', `${path}, which holds the weights ${tensor}.`, { cause });
  }
  const within = relative(realpathSync(folder), real);
  if (!stats.isFile() || within.startsWith(`..${sep}`) || isAbsolute(within)) throw outside(location, tensor);
  return real;
}

const outside = (location: string, tensor: string): ServerError =>
  unsupported(
    `The weights ${tensor} refer to ${JSON.stringify(location.slice(0, 100))}, which is not a file in the model's folder.`,
    'Do not use this file unless you trust its source. If you do, move the data next to it and save it again.',
  );
