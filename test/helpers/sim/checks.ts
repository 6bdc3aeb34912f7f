/** What has to be true of a simulated run once everything is over. */
import type { SimClient } from './client.js';
import type { Fleet } from './fleet.js';
import type { SimNode } from './node.js';
import { WINDOW_MS } from './node.js';
import type { World } from './world.js';

/** Less than a window: the server may have seen the connection's end earlier than the client. */
const EXCUSED_MS = WINDOW_MS - 8_000;
/** A recording that begins anew cuts its audio into other steps: word times move by less than two of them. */
const STEPS_S = 0.25;

export interface Outcome {
  readonly clients: readonly SimClient[];
  readonly world: World;
  readonly fleet: Fleet;
}

/** @param isFlaky the store may have lost sessions */
export function checkEnd(
  { clients, world, fleet }: Outcome,
  undisturbed: readonly SimClient[],
  isFlaky: boolean,
): void {
  const fail = (what: string) => world.fail(what);
  clients.forEach((client, i) => {
    const same = undisturbed[i];
    if (same !== undefined) checkTold(client, same, fail);
    const unexcused = client.lost.filter(({ isExcused }) => !isExcused);
    if (!isFlaky && unexcused.length > 0)
      fail(
        `${client.process.name} lost its session at ${Math.round(unexcused[0]?.atMs ?? 0)} ms: ${unexcused[0]?.why}`,
      );
  });
  const alive = fleet.nodes.filter(({ process }) => process.isAlive);
  for (const node of alive) checkNode(node, fail);
  fleet.store.tick();
  const kept = [...fleet.store.memory.held.values()].filter(({ record }) => record !== null);
  if (kept.length > 0) fail(`${kept.length} records are left in the store`);
}

function checkTold(client: SimClient, undisturbed: SimClient, fail: (what: string) => void): void {
  const { name } = client.process;
  const isWhole = client.lost.length === 0;
  if (isWhole) {
    const at = undisturbed.lasting.findIndex((message, i) => message !== client.lasting[i]);
    const [mine, its] = [client.lasting, undisturbed.lasting];
    if (at >= 0) fail(`${name} was told ${mine[at]} in place of ${its[at]}`);
    else if (mine.length !== its.length)
      fail(`${name} was told ${mine[its.length]} after all that it should be`);
  }
  if (client.droppedSeconds > 0) {
    if (client.longestSilenceMs < EXCUSED_MS) fail(`${name} lost ${client.droppedSeconds} s of audio`);
    return;
  }
  const differs = undisturbed.words.findIndex(({ word, start }, i) => {
    const own = client.words[i];
    return own?.word !== word || Math.abs(own.start - start) > (isWhole ? 0 : STEPS_S);
  });
  if (differs >= 0 || client.words.length !== undisturbed.words.length)
    fail(`${name} heard ${textOf(client)} in place of ${textOf(undisturbed)}`);
}

const textOf = ({ words }: SimClient): string =>
  words.map(({ word, start }) => `${word}@${start.toFixed(2)}`).join(' ') || 'nothing';

function checkNode({ process, context, engine, desk, sockets }: SimNode, fail: (what: string) => void): void {
  const { registry, recogniser } = context;
  const isOver = context.lifecycle.getSnapshot().value === 'stopped';
  const left = {
    sessions: registry.size,
    leases: recogniser?.sessions.leases.active ?? 0,
    slots: engine.table.slots.length - engine.table.vacancies,
    suspended: desk.suspendedCount,
    tokens: (desk as unknown as { byHash: Map<string, unknown> }).byHash.size,
    sockets,
    timers: process.timers - (isOver ? 0 : 1), // the registry's sweep goes on
  };
  for (const [what, count] of Object.entries(left))
    if (count !== 0) fail(`${process.name} has ${count} ${what} left`);
}
