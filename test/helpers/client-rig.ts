/** The client library on a scripted server, over a network in memory, with a clock that only the test moves. */
import { RNNTClient, type RNNTClientError } from 'rnnt-server/client';
import { FakeClock } from './fake-clock.js';
import { FakeServer, type FakeServerOptions } from './fake-server.js';
import { fakeNetwork } from './fake-socket.js';

export type ClientOptions = NonNullable<ConstructorParameters<typeof RNNTClient>[0]>;

export const RATE = 16_000;
const words = [
  { word: 'one', start: 0.2, end: 0.5 },
  { word: 'two', start: 0.6, end: 0.9 },
  { word: 'three', start: 2.0, end: 2.4 },
  { word: 'four', start: 2.5, end: 2.8 },
  { word: 'five', start: 4.0, end: 4.4 },
];

/** A ramp: each sample encodes its own position, so that lost, doubled or moved samples are visible. */
export function ramp(seconds: number, from = 0): Int16Array {
  return Int16Array.from({ length: Math.round(seconds * RATE) }, (_, i) => ((from + i) % 60_000) - 30_000);
}

/** The same as bytes. */
export const rampBytes = (seconds: number, from = 0): Buffer => Buffer.from(ramp(seconds, from).buffer);

export function setUp(serverOptions: FakeServerOptions = {}, clientOptions: ClientOptions = {}) {
  const clock = new FakeClock();
  const server = new FakeServer({ words, ...serverOptions });
  const network = fakeNetwork(server);
  const client = new RNNTClient({
    url: 'ws://server.test/ws/transcribe',
    clock,
    random: () => 0.5,
    WebSocket: network.WebSocket,
    fetch: async () => new Response('{"code":"UPGRADE_REQUIRED"}', { status: 426 }),
    ...clientOptions,
  });
  const states: string[] = [];
  client.on('state', ({ state }) => states.push(state));
  return { clock, server, network, client, states };
}

export type Rig = ReturnType<typeof setUp>;

/** Sends a ramp as a microphone would: 100 ms at a time, with the clock running. */
export async function speak({ client, clock }: Rig, from: number, to: number): Promise<void> {
  for (let at = from; at < to - 1e-9; at += 0.1) {
    client.send(ramp(0.1, Math.round(at * RATE)));
    await clock.advance(100);
  }
}

/** What a promise came to, without waiting for it. */
export function outcomeOf(promise: Promise<unknown>): { code: string | null } {
  const outcome: { code: string | null } = { code: null };
  promise.then(
    () => {
      outcome.code = 'resolved';
    },
    (error: RNNTClientError) => {
      outcome.code = error.code;
    },
  );
  return outcome;
}
