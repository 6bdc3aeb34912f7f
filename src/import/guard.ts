/**
 * A step that sees one stream more than there are: some processors take another kernel for products of one row than for those of many,
 * and round otherwise. With a copy of the first stream beside it no stream is ever alone.
 */
import { GraphBuilder } from './builder.js';
import { graphInputs, nameOf, opsetOf } from './onnx.js';
import type { Composition } from './step.js';

/** The step with one row more inside; its inputs and outputs stay as they are. */
export function withGuardRow(step: Composition): Composition {
  const { model } = step;
  const inputs = graphInputs(model.graph);
  const g = new GraphBuilder(opsetOf(model));
  const wide = inputs.map((it) => g.concat([nameOf(it), g.slice(nameOf(it), 0, 1, 0)], 0));
  const made = g.inline(model.graph, 'guarded', wide);
  model.graph.outputs.forEach((it, i) => {
    g.output(g.slice(made[i] ?? '', 0, -1, 0), nameOf(it));
  });
  const graph = g.finish('step', inputs, model.graph.outputs, { outermost: true });
  return { ...step, model: { ...model, graph } };
}
