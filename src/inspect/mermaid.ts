/**
 * A machine's graph as Mermaid (stateDiagram-v2).
 *
 * Every state is declared before the first arrow, since Mermaid puts a state that it first meets in an arrow into the
 * arrow's box. Transitions that act without leaving the state are written inside it, as in UML. A composite state's own
 * are shown on the children that do not override them.
 */
import { actionText, type MachineGraph, type StateInfo, type TransitionInfo } from './graph.js';

export type Direction = 'TB' | 'LR';

export interface DiagramOptions {
  /** Default: top to bottom. */
  direction?: Direction;
  /** Only states, events and guards: for a small screen, or next to a table with the rest. */
  brief?: boolean;
}

export function toMermaid(
  graph: MachineGraph,
  { direction = 'TB', brief = false }: DiagramOptions = {},
): string {
  const shown = brief ? withoutActions(graph) : graph;
  const drawn = spread(shown);
  const lines = [
    'stateDiagram-v2',
    `  %% ${comment(graph.description)}`,
    `  direction ${direction}`,
    ...declarations(shown, drawn, null, '  '),
    ...arrows(drawn),
    ...graph.states
      .filter((state) => state.type === 'final')
      .map((state) => `  ${mermaidId(state.id)} --> [*]`),
  ];
  return `${lines.join('\n')}\n`;
}

/** The name of a state in Mermaid's text and in its SVG, where dots are not allowed. */
export function mermaidId(stateId: string): string {
  return stateId.replaceAll('.', '_');
}

function withoutActions(graph: MachineGraph): MachineGraph {
  return {
    ...graph,
    states: graph.states.map((state) => ({ ...state, entry: [], exit: [] })),
    transitions: graph.transitions.map((transition) => ({ ...transition, actions: [] })),
  };
}

/** Moves internal transitions of a composite state to the children that do not override them. */
function spread(graph: MachineGraph): TransitionInfo[] {
  const children = (id: string) => graph.states.filter((state) => state.parent === id);
  const handles = (id: string, event: string) =>
    graph.transitions.some((transition) => transition.source === id && transition.event === event);
  return graph.transitions.flatMap((transition) => {
    const { source, target, event } = transition;
    const staysInside = target === null || target.startsWith(`${source}.`);
    const below = children(source);
    if (!staysInside || below.length === 0) return [transition];
    return below.filter(({ id }) => !handles(id, event)).map(({ id }) => ({ ...transition, source: id }));
  });
}

function declarations(
  graph: MachineGraph,
  transitions: TransitionInfo[],
  parent: string | null,
  indent: string,
): string[] {
  const isParallel = graph.states.find((state) => state.id === parent)?.type === 'parallel';
  const children = graph.states.filter((state) => state.parent === parent);
  // Mermaid attaches a composite's own arrows to the region declared last, over the labels of that region. The first
  // region has the fewest arrows that leave the composite.
  if (isParallel) children.reverse();
  const entered = parent === null ? children[0]?.id : graph.states.find(({ id }) => id === parent)?.initial;
  const lines = entered === undefined || entered === null ? [] : [`${indent}[*] --> ${mermaidId(entered)}`];
  children.forEach((state, index) => {
    if (isParallel && index > 0) lines.push(`${indent}--`);
    lines.push(`${indent}%% ${comment(state.description)}`);
    const head = `${indent}state "${text(state.key)}" as ${mermaidId(state.id)}`;
    if (state.type === 'compound' || state.type === 'parallel') {
      lines.push(`${head} {`, ...declarations(graph, transitions, state.id, `${indent}  `), `${indent}}`);
    } else {
      lines.push(
        head,
        ...body(state, transitions).map((line) => `${indent}${mermaidId(state.id)} : ${line}`),
      );
    }
  });
  return lines;
}

/** The content of a state's box: entry and exit actions, and internal transitions. */
function body(state: StateInfo, transitions: TransitionInfo[]): string[] {
  return [
    ...state.entry.map((action) => `entry / ${text(actionText(action))}`),
    ...state.exit.map((action) => `exit / ${text(actionText(action))}`),
    ...transitions
      .filter(({ source, target, actions }) => source === state.id && target === null && actions.length > 0)
      .map(label),
  ];
}

/** One arrow for all transitions between the same two states, with one label line each. */
function arrows(transitions: TransitionInfo[]): string[] {
  const labels = new Map<string, string[]>();
  for (const transition of transitions) {
    if (transition.target === null) continue;
    const arrow = `${mermaidId(transition.source)} --> ${mermaidId(transition.target)}`;
    labels.set(arrow, [...(labels.get(arrow) ?? []), label(transition)]);
  }
  return [...labels].map(([arrow, lines]) => `  ${arrow} : ${lines.join('<br/>')}`);
}

function label({ id, event, guard, actions }: TransitionInfo): string {
  const isLastAlternative = guard === null && /#\d+$/.test(id);
  const condition = guard === null ? (isLastAlternative ? ' [else]' : '') : ` [${text(guard)}]`;
  // Internal bookkeeping is left to the tables; an arrow shows external effects.
  const effects = actions.filter(({ type }) => !type.startsWith('remember')).map(actionText);
  const does = effects.length === 0 ? '' : ` / ${effects.map(text).join('<br/>/ ')}`;
  return `${text(event)}${condition}${does}`;
}

/** Mermaid's own escapes, for the characters that end a label or a statement. */
function text(value: string): string {
  return value.replace(/[#;:"<>&{}]/g, (char) => `#${char.charCodeAt(0)};`);
}

/** A comment ends with its line, and `%%{` would open a directive. */
function comment(value: string): string {
  return value.replace(/\s+/g, ' ').replaceAll('{', '(').replaceAll('}', ')');
}
