/**
 * Hotwords: phrases of a recording's custom vocabulary. The search in the graph takes them as edges of a trie over the
 * model's tokens. Each stream has its own small table, so a batch may mix streams with different phrases.
 *
 *   "mira", "mirador"       ▁mi ──▶ 1 ──ra──▶ 2 ──dor──▶ root
 *                                            a phrase ends here: the debt is 0
 *
 * An edge is five int32: from node, token, to node, gain for taking it, debt at its end (both in thousandths of a nat).
 * A hypothesis that leaves the trie inside a phrase repays what it gained since the end of the last phrase.
 */
import { PieceSpeller, type VocabularyFacts } from './speller.js';

export const EDGE_INTS = 5;
/**
 * Number of tables before node numbers repeat, so that a hypothesis from before a change matches no edge. With the
 * 4,096 edges that a manifest may have, all of them fit into an int32.
 */
const NODE_GENERATIONS = 500_000;

interface Node {
  readonly next: Map<number, Node>;
  boost: number;
  phraseEnds: boolean;
}

const newNode = (): Node => ({ next: new Map(), boost: 0, phraseEnds: false });

export interface Phrase {
  readonly phrase: string;
  /** Nats per token. */
  readonly boost: number;
}

/** A compiled list of hotwords. */
export interface CompiledHotwords {
  /** (edges × 5) int32, zero where unused. */
  readonly edges: Int32Array;
  /**
   * Index of each phrase that was left out, because the model's tokens cannot spell it or there was no room, and the
   * reason.
   */
  readonly left: readonly { readonly index: number; readonly reason: string }[];
}

export class HotwordCompiler {
  private readonly speller: PieceSpeller;
  private readonly maxEdges: number;
  private generation = 0;

  /** @param maxEdges number of edges that the graph takes per stream */
  constructor(tokens: readonly string[], maxEdges: number, facts: VocabularyFacts = {}) {
    this.speller = new PieceSpeller(tokens, facts);
    this.maxEdges = maxEdges;
  }

  /** Boosts are in nats per token. Only positive boosts have an effect: the search cannot make words less likely. */
  compile(hotwords: readonly Phrase[]): CompiledHotwords {
    const root = newNode();
    const left: { index: number; reason: string }[] = [];
    let edges = 0;
    for (const [index, { phrase, boost }] of hotwords.entries()) {
      const spellings = this.speller.spellings(phrase);
      const [first] = spellings;
      if (first === undefined) left.push({ index, reason: "it cannot be spelled with the model's tokens" });
      else if (boost <= 0) left.push({ index, reason: 'its boost is not above 0' });
      else if (edges + missing(root, first) > this.maxEdges) {
        left.push({ index, reason: 'there are too many' });
      } else {
        // Adds the phrase in other cases too, as far as there is room.
        for (const ids of spellings) {
          if (edges + missing(root, ids) <= this.maxEdges) edges += insert(root, ids, boost);
        }
      }
    }
    return { edges: this.write(root), left };
  }

  private write(root: Node): Int32Array {
    const table = new Int32Array(this.maxEdges * EDGE_INTS);
    const base = (this.generation++ % NODE_GENERATIONS) * this.maxEdges;
    let nodes = 0;
    let at = 0;
    const visit = (node: Node, number: number, debt: number): void => {
      for (const [piece, child] of node.next) {
        const gain = Math.round(child.boost * 1000);
        const childDebt = child.phraseEnds ? 0 : debt + gain;
        const childNumber = child.next.size === 0 ? 0 : base + ++nodes;
        table.set([number, piece, childNumber, gain, childDebt], at);
        at += EDGE_INTS;
        visit(child, childNumber, childDebt);
      }
    };
    visit(root, 0, 0);
    return table;
  }
}

/**
 * The table of a recording's hotwords, null if the model takes none, and a warning about phrases that were left out.
 */
export function compileHotwords(
  compiler: HotwordCompiler | null,
  hotwords: readonly Phrase[],
): { edges: Int32Array | null; warning: string | null } {
  if (compiler === null) {
    return { edges: null, warning: hotwords.length > 0 ? 'hotwords: the model does not support them' : null };
  }
  const { edges, left } = compiler.compile(hotwords);
  const first = left[0];
  if (first === undefined) return { edges, warning: null };
  const others = left.length > 1 ? `, and ${left.length - 1} more` : '';
  // Names the phrase by index, not by its text, since warnings are visible in the inspector.
  return { edges, warning: `hotwords.${first.index} is left out, ${first.reason}${others}` };
}

/** Number of edges that `ids` would add. */
function missing(root: Node, ids: readonly number[]): number {
  let node: Node | undefined = root;
  let known = 0;
  for (const id of ids) {
    node = node?.next.get(id);
    if (node === undefined) break;
    known++;
  }
  return ids.length - known;
}

/** Adds a phrase. Where phrases share a beginning, the larger boost counts. Returns the number of new edges. */
function insert(root: Node, ids: readonly number[], boost: number): number {
  let node = root;
  let made = 0;
  for (const id of ids) {
    let child = node.next.get(id);
    if (child === undefined) {
      child = newNode();
      node.next.set(id, child);
      made++;
    }
    child.boost = Math.max(child.boost, boost);
    node = child;
  }
  node.phraseEnds = true;
  return made;
}
