/** Faults beside the lanes: of the main thread, the clock, the disk, the network and other clients. */
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { BreakingNetwork } from '../../test/helpers/breaking-network.js';
import { clips, loadClip, sampleWavPath } from '../../test/helpers/fixtures.js';
import { bytesOf, TestClient } from '../../test/helpers/ws-client.js';
import { ChildServer } from './child-server.js';

export interface Scene {
  readonly server: ChildServer;
  readonly streams: number;
}

export interface SceneFault {
  /** For `--only`. */
  readonly name: string;
  readonly injected: string;
  readonly survived: string;
  /** Speech is interrupted, so there is a time to recover. */
  readonly interrupts: boolean;
  /** Prepares the fault: what `speakers` connect to, the fault itself, and what is to be closed after it. */
  readonly prepare: (scene: Scene) => Promise<Prepared>;
}

interface Prepared {
  readonly url: string;
  /** Resolves when the fault is to begin; default: after some seconds of speech. */
  readonly due?: () => Promise<void>;
  /** Resolves when the fault is over, with figures of its own. */
  readonly happen: () => Promise<object>;
  readonly close: () => Promise<void>;
}

const nothing = async (): Promise<void> => {};
const LOOK_MS = 100;
const BLOCKED_MS = 5_000;
const DAY_MS = 86_400_000;
const DISTURBED_MS = 8_000;
const UPLOADS = 40;
/** 16 kHz pcm16. */
const BYTES_PER_SECOND = 32_000;

/** Clients that send speech as fast as it is taken, and read nothing. */
async function deafClients(url: string, count: number): Promise<TestClient[]> {
  const speech = Buffer.concat(
    await Promise.all(clips.slice(0, 4).map(async ({ file }) => bytesOf(await loadClip(file)))),
  );
  const all = await Promise.all(Array.from({ length: count }, () => TestClient.recording(url)));
  for (const { socket } of all) {
    socket.pause();
    for (let i = 0; i < 8; i++) socket.send(speech, () => {}); // an ended connection is what may come
  }
  return all;
}

/** Uploads one after the other at each of the places, until told to stop. */
async function storm(http: string, signal: AbortSignal) {
  const wav = await readFile(sampleWavPath);
  const outcomes = { uploads_done: 0, uploads_refused: 0 };
  const upload = async (): Promise<void> => {
    while (!signal.aborted) {
      const answer = await fetch(`${http}/transcribe/file`, { method: 'POST', body: wav });
      const { code } = (await answer.json()) as { code?: string };
      if (answer.ok) outcomes.uploads_done++;
      else if (code === 'TOO_MANY_UPLOADS') outcomes.uploads_refused++;
      else throw new Error(`an upload was answered with ${answer.status} ${code}`);
      if (!answer.ok) await setTimeout(LOOK_MS);
    }
  };
  await Promise.all(Array.from({ length: UPLOADS }, upload));
  return outcomes;
}

export const SCENE_FAULTS: readonly SceneFault[] = [
  {
    name: 'main',
    injected: `the main thread blocks for ${BLOCKED_MS / 1_000} s`,
    survived: 'audio waits in the sockets; no step counts as hung',
    interrupts: true,
    prepare: async ({ server }) => ({
      url: server.ws,
      happen: async () => {
        server.say({ block: BLOCKED_MS });
        await server.report(); // it answers again
        return {};
      },
      close: nothing,
    }),
  },
  {
    name: 'clock',
    injected: 'the system clock jumps a day forward, then two days back',
    survived: 'only expiry dates of client tokens depend on it',
    interrupts: false,
    prepare: async ({ server }) => ({
      url: server.ws,
      happen: async () => {
        for (const clock of [DAY_MS, -DAY_MS]) {
          server.say({ clock });
          await setTimeout(DISTURBED_MS / 2);
        }
        server.say({ clock: 0 });
        return {};
      },
      close: nothing,
    }),
  },
  {
    name: 'disk',
    injected: 'the disk under the log is full, while 3 MB of lines are logged',
    survived: '1 MB of lines wait, newer ones are dropped',
    interrupts: false,
    prepare: async ({ streams }) => {
      const full = openSync('/dev/full', 'w');
      const server = await ChildServer.begin({ lanes: 2, maxStreams: 4 * streams }, full);
      closeSync(full);
      return {
        url: server.ws,
        happen: async () => {
          for (let i = 0; i < 30; i++) {
            server.say({ log: 100 });
            await setTimeout(LOOK_MS);
          }
          return {};
        },
        close: () => server.stop(),
      };
    },
  },
  {
    name: 'readers',
    injected: 'as many clients again send speech but read nothing',
    survived: 'their partials are held back, and their connections end when too much waits',
    interrupts: false,
    prepare: async ({ server, streams }) => {
      let deaf: TestClient[] = [];
      return {
        url: server.ws,
        happen: async () => {
          deaf = await deafClients(server.ws, streams);
          await setTimeout(DISTURBED_MS);
          return { deaf: deaf.length };
        },
        close: async () => {
          for (const { socket } of deaf) socket.terminate();
        },
      };
    },
  },
  {
    name: 'half-open',
    injected: 'all connections break; to the server they look open',
    survived: 'the returning clients take their sessions over',
    interrupts: true,
    prepare: async ({ server, streams }) => {
      const network = await BreakingNetwork.open(server.port);
      const plan = { up: 6 * BYTES_PER_SECOND, down: Number.POSITIVE_INFINITY, kind: 'half-open' } as const;
      network.plans.push(...Array.from({ length: streams }, () => plan));
      return {
        url: network.ws,
        due: async () => {
          while (network.cuts === 0) await setTimeout(1);
        },
        happen: async () => {
          while (network.cuts < streams) await setTimeout(LOOK_MS);
          return { connections_lost: network.cuts };
        },
        close: () => network.close(),
      };
    },
  },
  {
    name: 'uploads',
    injected: `${UPLOADS} clients upload files one after the other`,
    survived: 'uploads beyond `--max-uploads` get `TOO_MANY_UPLOADS`',
    interrupts: false,
    prepare: async ({ server }) => ({
      url: server.ws,
      happen: () => storm(server.http, AbortSignal.timeout(DISTURBED_MS)),
      close: nothing,
    }),
  },
];
