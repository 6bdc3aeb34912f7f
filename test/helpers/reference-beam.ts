/** Beam search with hotwords in plain code, over all symbols, for comparison with the one in the graph. */
import type { InferenceSession } from 'onnxruntime-node';
import { Tensor } from 'onnxruntime-node';
import { EDGE_INTS } from '../../src/inference/hotwords.js';

export interface Hypothesis {
  readonly tokens: readonly number[];
  readonly score: number;
  readonly node: number;
  readonly owed: number;
}

interface Edge {
  readonly from: number;
  readonly symbol: number;
  readonly to: number;
  readonly gain: number;
  readonly debt: number;
}

const HYPOTHESES = 4;

function edgesOf(table: Int32Array): Edge[] {
  const edges: Edge[] = [];
  for (let at = 0; at < table.length; at += EDGE_INTS) {
    const [from = 0, symbol = 0, to = 0, gain = 0, debt = 0] = table.subarray(at, at + EDGE_INTS);
    if (symbol > 0) edges.push({ from, symbol, to, gain, debt });
  }
  return edges;
}

/** What a symbol changes, as training/search.py has it: onward where that is no worse than paying back and starting afresh. */
function follow(
  edges: readonly Edge[],
  { node, owed }: Hypothesis,
  symbol: number,
): { gain: number; node: number; owed: number } {
  const edge = (from: number) => edges.find((it) => it.from === from && it.symbol === symbol);
  const [onward, afresh] = [edge(node), edge(0)];
  const stays = onward !== undefined && (afresh === undefined || onward.gain >= afresh.gain - owed);
  const taken = stays ? onward : afresh;
  return {
    gain: ((taken?.gain ?? 0) - (stays ? 0 : owed)) / 1000,
    node: taken?.to ?? 0,
    owed: taken?.debt ?? 0,
  };
}

const logAdd = (a: number, b: number): number => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

export interface ReferenceParts {
  readonly decoder: InferenceSession;
  readonly joiner: InferenceSession;
  readonly context: number;
  readonly joinerWidth: number;
  readonly unk: number;
}

async function logProbabilities(
  parts: ReferenceParts,
  encoded: Float32Array,
  tokens: readonly number[],
): Promise<number[]> {
  const { decoder, joiner, context, joinerWidth } = parts;
  const begin = Array.from({ length: context }, (_, i) => (i === context - 1 ? 0 : -1));
  const last = [...begin, ...tokens].slice(-context);
  const y = new Tensor('int64', BigInt64Array.from(last, BigInt), [1, context]);
  const { decoder_out: decoded } = await decoder.run({ y });
  if (decoded === undefined) throw new Error('the decoder gives nothing');
  const encoder = new Tensor('float32', encoded, [1, joinerWidth]);
  const { logit } = await joiner.run({ encoder_out: encoder, decoder_out: decoded });
  const logits = Array.from(logit?.data as Float32Array, Number);
  const total = logits.reduce(logAdd);
  return logits.map((it) => it - total);
}

/** @param encoded (frames × joiner width) */
export async function referenceBeam(
  parts: ReferenceParts,
  encoded: Float32Array,
  table: Int32Array,
): Promise<Hypothesis[]> {
  const edges = edgesOf(table);
  const { joinerWidth: width, unk } = parts;
  let beam: Hypothesis[] = [{ tokens: [], score: 0, node: 0, owed: 0 }];
  for (let at = 0; at < encoded.length; at += width) {
    const next: Hypothesis[] = [];
    for (const it of beam) {
      const logp = await logProbabilities(parts, encoded.slice(at, at + width), it.tokens);
      logp.forEach((p, symbol) => {
        if (symbol === 0 || symbol === unk) next.push({ ...it, score: it.score + p });
        else {
          const { gain, node, owed } = follow(edges, it, symbol);
          next.push({ tokens: [...it.tokens, symbol], score: it.score + p + gain, node, owed });
        }
      });
    }
    const merged = new Map<string, Hypothesis>();
    for (const it of next.sort((a, b) => b.score - a.score).slice(0, HYPOTHESES)) {
      const same = merged.get(String(it.tokens));
      merged.set(
        String(it.tokens),
        same === undefined ? it : { ...same, score: logAdd(same.score, it.score) },
      );
    }
    beam = [...merged.values()];
  }
  return beam.sort((a, b) => b.score - a.score);
}
