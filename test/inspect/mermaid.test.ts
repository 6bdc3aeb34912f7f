import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createMachine } from 'xstate';
import { renderDocs } from '../../src/inspect/docs.js';
import { graphOf, transitionIds } from '../../src/inspect/graph.js';
import { MACHINE_NAMES, MACHINES, machineGraph, renderMachine } from '../../src/inspect/machines.js';
import { toMermaid } from '../../src/inspect/mermaid.js';

describe('machine diagrams', () => {
  for (const name of MACHINE_NAMES) {
    const graph = machineGraph(name);

    it(`says of every state of ${name} what it means`, () => {
      for (const state of graph.states)
        assert.notEqual(state.description, '', `${state.id} has a description`);
    });

    it(`declares every state of ${name} once, before the first arrow between two of them`, () => {
      const lines = renderMachine(name).split('\n');
      const firstArrow = lines.findIndex((line) => /^ {2}\w+ --> /.test(line));
      for (const state of graph.states) {
        const as = `as ${state.id.replaceAll('.', '_')}`;
        const places = lines.flatMap((line, i) => (line.endsWith(as) || line.endsWith(`${as} {`) ? [i] : []));
        assert.equal(places.length, 1, state.id);
        assert.ok(places[0] !== undefined && places[0] < firstArrow, state.id);
      }
    });

    it(`gives every transition of ${name} an id of its own`, () => {
      const ids = graph.transitions.map((transition) => transition.id);
      assert.equal(new Set(ids).size, ids.length);
      assert.deepEqual([...transitionIds(MACHINES[name]).values()], ids);
    });

    it(`renders ${name} as JSON that reads back as its graph`, () => {
      assert.deepEqual(JSON.parse(renderMachine(name, 'json')), graph);
    });
  }

  it('draws what stays inside the state, and what a composite does on the children that let it', () => {
    const mermaid = renderMachine('session');
    assert.match(mermaid, /activity_idle : STOP \/ refuse\(NOT_RECORDING\)/);
    assert.match(mermaid, /activity_recording : FINALIZE \/ finalizeSegment/);
    assert.match(mermaid, /flushing --> session_closed : FLUSHED \[isLeaving\] \/ finishRecording\n/);
    assert.match(mermaid, /flushing --> session_open_activity_idle : FLUSHED \[else\] \/ finishRecording\n/);
  });

  it('draws guards, timers and actions on the arrows', () => {
    const mermaid = renderMachine('session');
    assert.match(mermaid, /transport_attached --> session_open_transport_detached : DETACHED \[canResume\]/);
    assert.match(mermaid, /transport_detached --> session_closed : after resumeWindow/);
    assert.match(mermaid, /recording --> session_open_activity_flushing : STOP \/ beginFlush\(stop\)/);
  });

  it('leaves the actions out when it is to be brief', () => {
    const mermaid = toMermaid(machineGraph('session'), { direction: 'LR', brief: true });
    assert.match(mermaid, /direction LR/);
    assert.match(mermaid, /recording --> session_open_activity_flushing : STOP<br\/>NO_AUDIO<br/);
    assert.match(mermaid, /DETACHED \[canResume\]\n/);
    assert.doesNotMatch(mermaid, / \/ /);
  });

  it('cannot be broken by the characters of a name or a description', () => {
    const hostile = createMachine({
      id: 'hostile',
      description: 'first line\n%%{init: {}}%%',
      initial: 'a',
      states: {
        a: {
          description: 'x\ny',
          on: { 'a:b;"#{}': { target: 'b', actions: { type: '<img src=x>' } } },
        },
        b: {},
      },
    });
    const mermaid = toMermaid(graphOf(hostile));
    assert.doesNotMatch(mermaid, /<img|%%\{|^y/m);
    assert.match(mermaid, /a --> hostile_b : a#58;b#59;#34;#35;#123;#125; \/ #60;img src=x#62;/);
  });

  it('are the ones in docs/MACHINES.md (else: node scripts/machine-docs.mjs)', () => {
    const file = new URL('../../../docs/MACHINES.md', import.meta.url);
    assert.equal(readFileSync(file, 'utf8'), renderDocs());
  });
});
