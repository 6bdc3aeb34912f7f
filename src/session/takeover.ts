/**
 * How a session continues that was on another server of the fleet: compares its record with what the client says it has
 * received since the record was written.
 */
import type { TakenSession } from '../cluster/store.js';
import type { Engine } from '../inference/engine.js';
import { isOurs, readCheckpoint } from './checkpoint.js';
import { audioFromOf, clientPosition, type KeptRecording } from './kept-recording.js';
import type { KeptOutbox } from './outbox.js';
import { decodeSession, expired, type KeptSession, type SessionAsKept } from './record.js';
import { replayed } from './replay.js';
import { agrees } from './sent-log.js';
import type { Position } from './told.js';

/** A client's request to resume its session. */
export interface Claim extends Position {
  /** The first sample that it can send again, 16 kHz. */
  readonly has: number;
}

/** A session as it continues here. */
export interface Takeover {
  readonly id: string;
  readonly epoch: number;
  /** Hashes of the tokens that were good at the server before. */
  readonly tokens: readonly string[];
  readonly kept: KeptSession;
  /** Its state could not be used: it continues from the last final. */
  readonly isReplay: boolean;
}

/**
 * @param fingerprint of this engine
 * @throws ServerError RESUME_EXPIRED: the session cannot continue without a gap
 */
export function takeOver(
  taken: TakenSession,
  claim: Claim,
  engine: Engine,
  fingerprint: Uint8Array,
): Takeover {
  const record = decodeSession(taken.bytes);
  const { outbox, isAhead } = meet(record.outbox, claim, record.recording !== null);
  const { configured, controls } = record;
  const { id, epoch, tokens } = taken;
  if (record.recording === null) {
    return { id, epoch, tokens, kept: { configured, controls, outbox, recording: null }, isReplay: false };
  }
  const { kept, checkpoints } = channelsOf(record.recording);
  const isReplay = !checkpoints.every((each) => isOurs(each, fingerprint, engine.table.layout.stateBytes));
  const isUnsure = (isAhead && claim.told === null) || outbox.told.again.some((events) => events > 0);
  if (isReplay && isUnsure) throw expired('Another model sent messages that cannot be reproduced.');
  const recording = isReplay ? replayed(kept, claim.has, engine.hotwords) : kept;
  if (recording === null || (!isReplay && startOf(recording) < claim.has)) {
    throw expired('The client no longer has the audio from there on.');
  }
  return { id, epoch, tokens, kept: { configured, controls, outbox, recording }, isReplay };
}

const startOf = (kept: KeptRecording): number =>
  clientPosition(kept.config, kept.headerBytes, audioFromOf(kept).frames).samples;

function channelsOf({ checkpoints, ...rest }: NonNullable<SessionAsKept['recording']>) {
  const read = checkpoints.map(readCheckpoint);
  const kept: KeptRecording = { ...rest, channels: read.map(({ state }) => state) };
  return { kept, checkpoints: read };
}

/**
 * Compares the messages that the server had sent, according to the record, with those that the client has.
 * @param isRecording according to the record
 */
function meet(
  { told, sent }: KeptOutbox,
  claim: Claim,
  isRecording: boolean,
): { outbox: KeptOutbox; isAhead: boolean } {
  const last = sent.before + sent.frames.length;
  const seen = claim.seen ?? sent.before;
  if (seen < sent.before) throw expired('Messages that the client lacks are gone.');
  if (seen <= last && agrees(sent, { ...claim, seen })) return { outbox: { told, sent }, isAhead: false };
  // The client has more than the record knows, or other messages under the same numbers. Messages that follow from its
  // input are produced again, and suppressed up to that point.
  const after = { before: seen, frames: [], kinds: '', told: claim.told };
  if (claim.told === null) return { outbox: { told, sent: after }, isAhead: true };
  const { phase, events } = claim.told;
  const again = told.events.map((known, i) => (events[i] ?? 0) - known);
  // The client does not send again what it sent between two recordings.
  const isMissing = phase !== told.phase || (!isRecording && again.some((count) => count > 0));
  if (isMissing || again.some((count) => count < 0)) {
    throw expired('The client has messages that cannot be reproduced.');
  }
  return { outbox: { told: { ...told, again }, sent: after }, isAhead: true };
}
