/** Helpers for rewriting a graph's nodes. Rewrites return a copy; a source's graph is never changed. */
import { type GraphProto, type NodeProto, nameOf } from './onnx.js';

/** The graph without unused initialisers. */
export function pruned(graph: GraphProto): GraphProto {
  const used = usedNames(graph.nodes);
  for (const output of graph.outputs) used.add(nameOf(output));
  return { ...graph, initializers: graph.initializers.filter((it) => used.has(nameOf(it))) };
}

/** Names that nodes read, including nodes in the bodies of loops and branches. */
function usedNames(nodes: readonly NodeProto[], used = new Set<string>()): Set<string> {
  for (const { inputs, attributes } of nodes) {
    for (const name of inputs) used.add(name);
    for (const { g } of attributes) {
      if (g === undefined) continue;
      usedNames(g.nodes, used);
      for (const output of g.outputs) used.add(nameOf(output));
    }
  }
  return used;
}
