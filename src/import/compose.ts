/** Detects a source's kind of model and composes its step, or explains why that is not possible. */
import { LIMITS } from '../limits.js';
import { OPSETS } from './builder.js';
import { composeIcefall, ICEFALL_KINDS } from './kinds/icefall.js';
import { composeNemo, isNemo, NEMO_KIND } from './kinds/nemo.js';
import { unsupported } from './meta.js';
import { metaOf, opsetOf } from './onnx.js';
import { AS_EXPORTED, type Search, type Streaming } from './options.js';
import type { Composition, Source } from './step.js';

export interface ComposeOptions {
  readonly search: Search;
  /** For NeMo's own export; its graph usually shows these values. */
  readonly streaming?: Streaming;
}

/** @throws ServerError MODEL_UNSUPPORTED, with the reason and the remedy */
export function compose(source: Source, options: ComposeOptions): Composition {
  checkOpsets(source);
  if (isNemo(source)) return composeNemo(source, options.search, options.streaming ?? AS_EXPORTED);
  const {
    model_type: kind = '',
    comment = '',
    feature = '',
    decode_chunk_len: chunk,
  } = metaOf(source.encoder);
  if (/whisper/i.test(feature)) {
    throw unsupported(
      'The encoder takes Whisper features.',
      'Use a model trained with Kaldi’s 80-band features (fbank).',
    );
  }
  if (/ctc/i.test(`${kind} ${comment}`)) {
    throw unsupported(`This is a CTC model (${kind}).`, 'Use a transducer of the same family.');
  }
  if (!ICEFALL_KINDS.includes(kind)) {
    const kinds = [...ICEFALL_KINDS, NEMO_KIND].join(', ');
    throw kind === ''
      ? unsupported(
          'The encoder’s metadata does not name its kind (model_type).',
          `Export it with its recipe’s export-onnx-streaming.py, which writes it; the kind must be one of ${kinds}.`,
        )
      : unsupported(
          `The encoder is of the kind ${kind}, which cannot be imported.`,
          `Use a model of one of the kinds ${kinds}.`,
        );
  }
  if (chunk === undefined) {
    throw unsupported(
      `This ${kind} is not a streaming model${comment ? ` (“${comment}”)` : ''}: its encoder takes whole recordings.`,
      'Use the streaming model of the same name, or export it with export-onnx-streaming.py if it was trained causally.',
    );
  }
  return bounded(composeIcefall(source, kind, options));
}

/** Enforces the limit on the state of a stream, which the server keeps twice. */
function bounded(step: Composition): Composition {
  const bytes = 4 * step.stateFloats;
  if (bytes <= LIMITS.maxStateBytes) return step;
  throw unsupported(
    `The state of a stream would have ${bytes} bytes; the server accepts at most ${LIMITS.maxStateBytes}.`,
    'Use a model with less left context.',
  );
}

/** A graph can use only one version of the operators. */
function checkOpsets({ encoder, decoder, joiner }: Source): void {
  const versions = [encoder, decoder, joiner].map(opsetOf);
  const [version = 0] = versions;
  if (versions.some((it) => it !== version)) {
    throw unsupported(
      `Encoder, decoder and joiner use different versions of the ONNX operators (${versions.join(', ')}).`,
      'Export all three with the same opset_version.',
    );
  }
  if (version < OPSETS.least || version > OPSETS.most) {
    throw unsupported(
      `The files use version ${version} of the ONNX operators.`,
      `Export them with an opset_version from ${OPSETS.least} to ${OPSETS.most}.`,
    );
  }
}
