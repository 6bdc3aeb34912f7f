import type { FakeServer, Peer } from './fake-server.js';

export interface FakeNetwork {
  WebSocket: new (url: string) => FakeSocket;
  /** URLs of all attempts, in order. */
  attempts: string[];
  sockets: FakeSocket[];
  /** While set, an upgrade fails as a browser sees it: an error and a close with 1006. */
  refuse: boolean;
  /** While set, nothing is ever answered. */
  dead: boolean;
  /** From now on the server does not read: it is behind with what it has. */
  hold(): void;
  /** It reads on, in order. @param count how many frames; all if left out, and whatever comes */
  release(count?: number): void;
  /** Passes a frame on, now or later. */
  carry(deliver: () => void): void;
}

/** The client's end of a connection in memory. Frames arrive in the microtask after they were sent. */
export class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  binaryType = 'blob';
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly peer: Peer;
  readonly #server: FakeServer;
  readonly #network: FakeNetwork;

  constructor(url: string, server: FakeServer, network: FakeNetwork) {
    this.#server = server;
    this.#network = network;
    this.peer = {
      send: (text) => queueMicrotask(() => this.readyState === 1 && this.onmessage?.({ data: text })),
      close: (code, reason) => queueMicrotask(() => this.#closed(code, reason)),
    };
    network.attempts.push(url);
    network.sockets.push(this);
    if (network.dead) return;
    queueMicrotask(() => {
      if (network.refuse) {
        this.onerror?.({});
        this.#closed(1006, '');
        return;
      }
      this.readyState = 1;
      this.onopen?.({});
      server.connect(this.peer, new URL(url));
    });
  }

  send(data: string | Uint8Array): void {
    this.#network.carry(() => {
      if (typeof data === 'string') this.#server.text(this.peer, data);
      else this.#server.binary(this.peer, data);
    });
  }

  close(code = 1000, reason = ''): void {
    if (this.readyState === 3) return;
    this.#server.disconnected(this.peer);
    queueMicrotask(() => this.#closed(code, reason));
  }

  #closed(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

export function fakeNetwork(server: FakeServer): FakeNetwork {
  let held: (() => void)[] | null = null;
  const network: FakeNetwork = {
    WebSocket: class extends FakeSocket {
      constructor(url: string) {
        super(url, server, network);
      }
    },
    attempts: [],
    sockets: [],
    refuse: false,
    dead: false,
    hold() {
      held ??= [];
    },
    release(count) {
      for (const deliver of held?.splice(0, count ?? held.length) ?? []) deliver();
      if (count === undefined) held = null;
    },
    carry(deliver) {
      if (held) held.push(deliver);
      else queueMicrotask(deliver);
    },
  };
  return network;
}
