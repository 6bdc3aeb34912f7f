/**
 * A machine as plain data, the source of the diagrams, the documentation, `rnnt-server machines --format json` and the
 * inspector. It is read from the machine itself, so they cannot disagree with it.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export interface ActionInfo {
  type: string;
  /** Fixed parameters of the action, such as `{ code: 'NOT_RECORDING' }`. */
  params?: Record<string, string>;
}

export interface StateInfo {
  /** The full name: `session.open.activity.idle`. */
  id: string;
  /** The short one: `idle`. */
  key: string;
  parent: string | null;
  type: 'atomic' | 'compound' | 'parallel' | 'final';
  /** The child entered first; null for atomic, parallel and final states. */
  initial: string | null;
  description: string;
  tags: string[];
  entry: ActionInfo[];
  exit: ActionInfo[];
}

export interface TransitionInfo {
  /** Stable within a version of the machine: source, event and index among its alternatives. */
  id: string;
  source: string;
  /** null: the machine acts but stays in its state. */
  target: string | null;
  /** The event's type; `after NAME` for a timer. */
  event: string;
  guard: string | null;
  actions: ActionInfo[];
  description: string;
}

export interface MachineGraph {
  id: string;
  description: string;
  states: StateInfo[];
  transitions: TransitionInfo[];
}

/** Every state and transition of a machine, in order of definition. */
export function graphOf(machine: AnyStateMachine): MachineGraph {
  const nodes = nodesUnder(machine.root);
  return {
    id: machine.id,
    description: machine.root.description ?? '',
    states: nodes.map(stateInfo),
    transitions: nodes.flatMap((node) => transitionsOf(node).map(([definition, id]) => info(definition, id))),
  };
}

/**
 * The id of each transition's definition. XState passes the same objects to inspectors, so one lookup tells which
 * transition was taken.
 */
export function transitionIds(machine: AnyStateMachine): Map<AnyTransitionDefinition, string> {
  return new Map([machine.root, ...nodesUnder(machine.root)].flatMap(transitionsOf));
}

function nodesUnder(node: AnyStateNode): AnyStateNode[] {
  return Object.values(node.states as Record<string, AnyStateNode>).flatMap((child) => [
    child,
    ...nodesUnder(child),
  ]);
}

function transitionsOf(node: AnyStateNode): [AnyTransitionDefinition, string][] {
  return [...node.transitions.values()].flatMap((alternatives) =>
    alternatives.map((definition, index): [AnyTransitionDefinition, string] => {
      const suffix = alternatives.length > 1 ? `#${index + 1}` : '';
      return [definition, `${node.id} ${eventName(definition.eventType, node.id)}${suffix}`];
    }),
  );
}

function stateInfo(node: AnyStateNode): StateInfo {
  if (node.type === 'history') throw new Error(`History states are not drawn: ${node.id}`);
  const isTopLevel = node.parent === undefined || node.parent.parent === undefined;
  return {
    id: node.id,
    key: node.key,
    parent: isTopLevel ? null : (node.parent?.id ?? null),
    type: node.type,
    initial: node.type === 'compound' ? (node.initial.target[0]?.id ?? null) : null,
    description: node.description ?? '',
    tags: [...node.tags],
    entry: actionInfos(node.entry),
    exit: actionInfos(node.exit),
  };
}

function info(definition: AnyTransitionDefinition, id: string): TransitionInfo {
  const { source, target } = definition;
  return {
    id,
    source: source.id,
    target: target?.[0]?.id ?? null,
    event: eventName(definition.eventType, source.id),
    guard: definition.guard === undefined ? null : nameOf(definition.guard),
    actions: actionInfos(definition.actions),
    description: definition.description ?? '',
  };
}

/** `xstate.after.resumeWindow.session.open.transport.detached` → `after resumeWindow`. */
function eventName(eventType: string, stateId: string): string {
  const timer = 'xstate.after.';
  if (!eventType.startsWith(timer)) return eventType;
  return `after ${eventType.slice(timer.length, -stateId.length - 1)}`;
}

function actionInfos(actions: readonly unknown[]): ActionInfo[] {
  return actions
    .map((action): ActionInfo => {
      const params = paramsOf(action);
      return params === null ? { type: nameOf(action) } : { type: nameOf(action), params };
    })
    .filter(({ type }) => !type.startsWith('xstate.')); // the raise and cancel that implement `after`
}

function nameOf(part: unknown): string {
  if (typeof part === 'string') return part;
  const isNamed = (typeof part === 'object' || typeof part === 'function') && part !== null && 'type' in part;
  return isNamed ? String(part.type) : '(unnamed)';
}

function paramsOf(action: unknown): Record<string, string> | null {
  if (typeof action !== 'object' || action === null || !('params' in action)) return null;
  if (typeof action.params !== 'object' || action.params === null) return null;
  const entries = Object.entries(action.params).map(([key, value]) => [key, String(value)] as const);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

/** `refuse(NOT_RECORDING)`. */
export function actionText({ type, params }: ActionInfo): string {
  return params === undefined ? type : `${type}(${Object.values(params).join(', ')})`;
}
