/** The machines by name, and their renderings as text. */
import type { AnyStateMachine } from 'xstate';
import { serverMachine } from '../../machines/server.js';
import { sessionMachine } from '../../machines/session.js';
import { graphOf, type MachineGraph } from './graph.js';
import { toMermaid } from './mermaid.js';

export const MACHINES = {
  session: sessionMachine,
  server: serverMachine,
} as const satisfies Record<string, AnyStateMachine>;

export type MachineName = keyof typeof MACHINES;
export const MACHINE_NAMES = Object.keys(MACHINES) as MachineName[];

export const MACHINE_FORMATS = ['mermaid', 'json'] as const;
export type MachineFormat = (typeof MACHINE_FORMATS)[number];

export function machineGraph(name: MachineName): MachineGraph {
  return graphOf(MACHINES[name]);
}

/** A machine as text, ending with a newline: Mermaid's stateDiagram-v2, or its graph as JSON. */
export function renderMachine(name: MachineName, format: MachineFormat = 'mermaid'): string {
  const graph = machineGraph(name);
  return format === 'json' ? `${JSON.stringify(graph, null, 2)}\n` : toMermaid(graph);
}
