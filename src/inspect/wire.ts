/** Messages between the inspector page and the server over `/ws/inspect`, one JSON object per frame. */
import type { MachineGraph } from './graph.js';
import type { MachineName } from './machines.js';
import type { EventRecord } from './trace.js';

/** Numbers only, never transcripts. */
export interface SessionSummary {
  /** Seconds of audio received in this session. */
  audioSeconds: number;
  segments: number;
  /** Milliseconds of audio received and not yet recognised. */
  lagMs: number;
  droppedPartials: number;
}

export interface SessionRow extends SessionSummary {
  id: string;
  clientId: string;
  remote: string;
  /** Milliseconds since the epoch. */
  openedAt: number;
  activity: string;
  attached: boolean;
}

/** Mermaid's text, top to bottom and left to right. */
export interface Drawings {
  TB: string;
  LR: string;
}

export type InspectMessage =
  /** Sent once, first. `serverId` is the id for watching the server's own machine; null: it is not shown. */
  | {
      type: 'machines';
      machines: { name: MachineName; graph: MachineGraph; mermaid: { brief: Drawings; full: Drawings } }[];
      serverId: string | null;
    }
  /** Once per second: new or changed rows, ids that have ended, and the total number of sessions. */
  | { type: 'sessions'; rows: SessionRow[]; gone: string[]; total: number; shown: number }
  /** The answer to `watch`: the session's current state, and the events kept so far, oldest first. */
  | {
      type: 'watching';
      session: string | null;
      machine: MachineName;
      active: string[];
      events: EventRecord[];
    }
  /** `skipped`: number of events left out just before this one, because the watcher reads too slowly. */
  | { type: 'event'; session: string; record: EventRecord; skipped: number }
  /** Once per second, if changed: transitions taken in all sessions since `since`, and events ignored. */
  | { type: 'counts'; counts: Record<string, number>; ignored: number; since: number }
  | { type: 'error'; error: string };

/** From the page: follow one session's events (its id), or none (null). */
export interface WatchRequest {
  type: 'watch';
  session: string | null;
}

/** The request in a text frame; null if it is not one. */
export function parseWatchRequest(text: string): WatchRequest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || value.type !== 'watch') {
    return null;
  }
  const session = 'session' in value ? value.session : null;
  return session === null || typeof session === 'string' ? { type: 'watch', session } : null;
}
