/** Figures of a live recording, over all of its channels. */
import type { MetricsEvent, StoppedEvent } from '../protocol/events.js';
import type { Channel } from './channel.js';

export const segmentsOf = (channels: readonly Channel[]): number =>
  channels.reduce((sum, { recording }) => sum + recording.transcript.segments, 0);

/** @param samples received, 16 kHz */
export function stoppedEvent(channels: readonly Channel[], samples: number): StoppedEvent {
  const transcripts = channels.map(({ recording }) => recording.transcript);
  return {
    type: 'stopped',
    text: transcripts
      .map(({ text }) => text)
      .filter((text) => text !== '')
      .join(' '),
    truncated: transcripts.some(({ truncated }) => truncated),
    segments: segmentsOf(channels),
    samples,
  };
}

export const lagOf = (channels: readonly Channel[]): number =>
  Math.max(...channels.map((channel) => channel.lagSamples));

/** @param rest figures that the channels do not know */
export function metricsEvent(
  channels: readonly Channel[],
  rest: Pick<MetricsEvent, 'stepMsP50' | 'stepMsP95' | 'droppedPartials' | 'receivedSamples'>,
): MetricsEvent {
  return {
    type: 'metrics',
    levelDbfs: Math.max(...channels.map(({ level }) => level.takeDbfs())),
    lagSamples: lagOf(channels),
    ...rest,
  };
}
