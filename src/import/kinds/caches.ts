/**
 * The caches of icefall's streaming encoders, as their exporters lay them out: the tensors that follow from the
 * metadata. https://github.com/k2-fsa/icefall (export-onnx-streaming.py of each recipe); sherpa-onnx reads them in
 * online-zipformer2-transducer-model.cc and similar files.
 */
import { type Metadata, MOST_LAYERS } from '../meta.js';

/** Dimensions of a tensor; `N` is the batch. */
export type Shape = readonly (number | 'N')[];

export interface Caches {
  readonly floats: readonly Shape[];
  /**
   * After the caches there is an int64 (N) input without a matching output: the number of 10 ms frames before this
   * chunk.
   */
  readonly countsFrames: boolean;
}

const N = 'N';

/** Caches by `model_type`, in the order of the encoder's inputs; counters are (N) or (layers, N). */
export const CACHES: Readonly<Record<string, (meta: Metadata) => Caches>> = {
  zipformer2(meta) {
    const layers = meta.ints('num_encoder_layers', undefined, MOST_LAYERS);
    const list = (key: string) => meta.ints(key, layers.length);
    const [dims, heads, kernels] = [list('encoder_dims'), list('num_heads'), list('cnn_module_kernels')];
    const [queries, values, left] = [
      list('query_head_dims'),
      list('value_head_dims'),
      list('left_context_len'),
    ];
    const floats = layers.flatMap((count, stack): Shape[] => {
      const at = (of: readonly number[]): number => of[stack] as number;
      const [key, value] = [at(queries) * at(heads), at(values) * at(heads)];
      const pad = Math.floor(at(kernels) / 2);
      const layer: Shape[] = [
        [at(left), N, key],
        [1, N, at(left), (3 * at(dims)) / 4],
        [at(left), N, value],
        [at(left), N, value],
        [N, at(dims), pad],
        [N, at(dims), pad],
      ];
      return Array.from({ length: count }, () => layer).flat();
    });
    return { floats: [...floats, [N, 128, 3, 19], [N]], countsFrames: false };
  },

  zipformer(meta) {
    const layers = meta.ints('num_encoder_layers', undefined, MOST_LAYERS);
    const list = (key: string) => meta.ints(key, layers.length);
    const [dims, attention] = [list('encoder_dims'), list('attention_dims')];
    const [kernels, left] = [list('cnn_module_kernels'), list('left_context_len')];
    const each = (shape: (n: number, at: (of: readonly number[]) => number) => Shape): Shape[] =>
      layers.map((n, stack) => shape(n, (of) => of[stack] as number));
    const floats = [
      each((n) => [n, N]),
      each((n, at) => [n, N, at(dims)]),
      each((n, at) => [n, at(left), N, at(attention)]),
      each((n, at) => [n, at(left), N, at(attention) / 2]),
      each((n, at) => [n, at(left), N, at(attention) / 2]),
      each((n, at) => [n, N, at(dims), at(kernels) - 1]),
      each((n, at) => [n, N, at(dims), at(kernels) - 1]),
    ];
    return { floats: floats.flat(), countsFrames: false };
  },

  conformer(meta) {
    const n = meta.int('num_encoder_layers', MOST_LAYERS);
    const dim = meta.int('encoder_dim');
    const floats: Shape[] = [
      [n, meta.int('left_context'), N, dim],
      [n, meta.int('cnn_module_kernel') - 1, N, dim],
    ];
    return { floats, countsFrames: true };
  },

  lstm(meta) {
    const n = meta.int('num_encoder_layers', MOST_LAYERS);
    const floats: Shape[] = [
      [n, N, meta.int('d_model')],
      [n, N, meta.int('rnn_hidden_size')],
    ];
    return { floats, countsFrames: false };
  },
};
