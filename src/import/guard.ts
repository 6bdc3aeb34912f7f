/**
 * Runs a step with one extra row. Some processors use another kernel, with other rounding, for products of one row than
 * of many. With a copy of the first stream added, no stream ever runs alone.
 */
import { GraphBuilder } from './builder.js';
import { graphInputs, nameOf, opsetOf } from './onnx.js';
import type { Composition } from './step.js';

/** The step with an extra row inside; its inputs and outputs do not change. */
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
