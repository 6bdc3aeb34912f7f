/**
 * How a session goes on that another server of the fleet had: what its record says, against what its client says that it has
 * seen since the record was written.
 */
import type { TakenSession } from '../cluster/store.js';
import type { Engine } from '../inference/engine.js';
import { isOurs, readCheckpoint } from './checkpoint.js';
import { audioFromOf, clientPosition, type KeptRecording } from './kept-recording.js';
import type { KeptOutbox } from './outbox.js';
import { decodeSession, expired, type KeptSession, type SessionAsKept } from './record.js';
import { replayed } from './replay.js';
import { CHANNELS, type Told } from './told.js';

/** What a client says when it comes for its session. */
export interface Claim {
  /** The number of the last message that it has; null: it does not say. */
  readonly seen: number | null;
  /** How much of what follows from its own input it was told; null: it does not say. */
  readonly told: Told | null;
  /** The first sample that it can send again, 16 kHz. */
  readonly has: number;
}

/** A session as it goes on here. */
export interface Takeover {
  readonly id: string;
  readonly epoch: number;
  readonly kept: KeptSession;
  /** The number of the last message that the client has; null: it does not say. */
  readonly seen: number | null;
  /** By channel: events that come again and that the client has seen. */
  readonly again: readonly number[];
  /** It could not be taken over where it stood: it goes on from the last final. */
  readonly isReplay: boolean;
}

/**
 * @param fingerprint of this engine
 * @throws ServerError RESUME_EXPIRED: the session cannot go on as if nothing had happened
 */
export function takeOver(
  taken: TakenSession,
  claim: Claim,
  engine: Engine,
  fingerprint: Uint8Array,
): Takeover {
  const record = decodeSession(taken.bytes);
  const { outbox, again, isAhead } = meet(record.outbox, claim, record.recording !== null);
  const recording = record.recording === null ? null : channelsOf(record.recording);
  const { id, epoch } = taken;
  const common = { id, epoch, seen: claim.seen, again };
  const { configured, controls } = record;
  if (recording === null) {
    return { ...common, kept: { configured, controls, outbox, recording }, isReplay: false };
  }
  const { kept, checkpoints } = recording;
  const isReplay = !checkpoints.every((each) => isOurs(each, fingerprint, engine.table.layout.stateBytes));
  if (isReplay && isAhead && (claim.told === null || again.some((events) => events > 0))) {
    throw expired('Another model has told more than can be told again.');
  }
  const goesOn = isReplay ? replayed(kept, claim.has, engine.hotwords) : kept;
  if (goesOn === null || (!isReplay && startOf(goesOn) < claim.has)) {
    throw expired('The client does not have the audio from there on.');
  }
  return { ...common, kept: { configured, controls, outbox, recording: goesOn }, isReplay };
}

const startOf = (kept: KeptRecording): number =>
  clientPosition(kept.config, kept.headerBytes, audioFromOf(kept).frames).samples;

function channelsOf({ checkpoints, ...rest }: NonNullable<SessionAsKept['recording']>) {
  const read = checkpoints.map(readCheckpoint);
  const kept: KeptRecording = { ...rest, channels: read.map(({ state }) => state) };
  return { kept, checkpoints: read };
}

/**
 * Puts what the server told up to the record beside what the client has.
 * @param isRecording so the record says
 */
function meet(
  { told, sent }: KeptOutbox,
  claim: Claim,
  isRecording: boolean,
): { outbox: KeptOutbox; again: number[]; isAhead: boolean } {
  const last = sent.before + sent.frames.length;
  const seen = claim.seen ?? sent.before;
  if (seen < sent.before) throw expired('Messages that the client lacks are gone.');
  if (seen <= last) return { outbox: { told, sent }, again: [], isAhead: false };
  // It was told more than the record knows of: what follows from its own input is told again, and left out up to there.
  const outbox = { told, sent: { before: seen, frames: [] } };
  if (claim.told === null) return { outbox, again: [], isAhead: true };
  const again = Array.from(
    { length: CHANNELS },
    (_, i) => (claim.told?.events[i] ?? 0) - (told.events[i] ?? 0),
  );
  // Whatever it sent between two recordings it does not send again.
  const isMissing = claim.told.phase !== told.phase || (!isRecording && again.some((events) => events > 0));
  if (isMissing || again.some((events) => events < 0)) {
    throw expired('The client was told more than can be told again.');
  }
  return { outbox, again, isAhead: true };
}
