/** Two channels kept apart: whose words they are, and what happens to them when a server is lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Configuring } from '#static/client/configuring.js';
import { Recording } from '#static/client/recording.js';
import { setUp } from '../helpers/client-rig.js';
import { FakeClock } from '../helpers/fake-clock.js';

interface Result {
  channel?: number;
  segment_id: number;
  text: string;
  start?: number;
}

const RATE = 16_000;
const OPTIONS = { maxQueueSeconds: 30, maxBacklogSeconds: 300, vad: null };

/** A stereo recording of which `seconds` were sent. */
function stereo(seconds: number) {
  const told: [string, Result][] = [];
  const emit = (type: string, detail: unknown) => told.push([type, detail as Result]);
  const config = { sample_rate: RATE, encoding: 'pcm16', channels: 2, multichannel: true } as const;
  const clock = new FakeClock();
  const configuring = new Configuring({ clock, answerLimitMs: 1 }, () => {});
  const recording = new Recording(config, { ...OPTIONS, clock }, emit, configuring);
  recording.push(new Int16Array(2 * seconds * RATE), true);
  const { log } = recording.outgoing;
  while (log.next());
  const say = (type: 'partial' | 'transcription', channel: number, text: string, start: number) => {
    const words = text
      .split(' ')
      .map((word, i) => ({ word, start: start + i, end: start + i + 1, confidence: 1 }));
    const end = words.at(-1)?.end;
    recording.results.receive({
      type,
      channel,
      segment_id: 1,
      text,
      words,
      start,
      stable_chars: 0,
      audio_end: end,
    });
  };
  const finals = () =>
    told.filter(([type]) => type === 'transcription').map(([, it]) => [it.channel, it.text]);
  return { recording, log, say, finals, told };
}

describe('two channels kept apart', () => {
  it('are named in partials, segments and speech events; one channel is not', async () => {
    const rig = setUp();
    const seen: [string, unknown][] = [];
    rig.client.on('transcription', ({ channel, text }) => seen.push([text, channel]));
    rig.client.on('partial', ({ channel, text }) => seen.push([text, channel]));
    rig.client.on('speech_started', ({ channel }) => seen.push(['speech', channel]));
    const started = rig.client.start({ channels: 2, multichannel: true });
    await rig.clock.advance(0);
    await started;
    const common = { segment_id: 1, words: [], timestamp: '', processing_time_ms: 1 };
    const final = { is_final: true, start: 0, duration: 1, confidence: 1, reason: 'silence' } as const;
    rig.server.broadcast({ type: 'speech_started', audio_time: 0, channel: 1, timestamp: '' });
    rig.server.broadcast({
      ...{ type: 'partial', channel: 1, text: 'hel', is_final: false },
      ...{ stable_chars: 0, audio_end: 1, ...common },
    } as Parameters<typeof rig.server.broadcast>[0]);
    rig.server.broadcast({ type: 'transcription', channel: 0, text: 'hello', ...final, ...common });
    rig.server.broadcast({ type: 'transcription', text: 'mono', ...final, ...common });
    await rig.clock.advance(0);
    assert.deepEqual(seen, [
      ['speech', 1],
      ['hel', 1],
      ['hello', 0],
      ['mono', undefined],
    ]);
  });

  it('keep the audio that the slower one still needs when the server is lost', () => {
    const { recording, log, say } = stereo(10);
    say('transcription', 1, 'good morning', 1);
    say('partial', 1, 'and my number is', 4);
    say('transcription', 0, 'how can i help you today', 1);
    recording.restart();
    assert.equal(log.base, 3 * RATE, 'from the end of what the second channel has said for good');
  });

  it('let the audio go that neither needs, though one of them is silent', () => {
    const { recording, log, say } = stereo(10);
    say('partial', 0, 'how', 1);
    say('transcription', 0, 'how can i help you today', 1);
    say('partial', 0, 'please', 8);
    recording.restart();
    assert.equal(log.base, 4 * RATE, 'three seconds before the newest final: no word may be unseen longer');
  });

  it('do not say again what they had said when the audio is recognised once more', () => {
    const { recording, say, finals, told } = stereo(10);
    say('partial', 1, 'my', 4);
    say('transcription', 0, 'how can i help', 1);
    recording.restart();
    say('partial', 0, 'how can i help', 1);
    assert.equal(told.at(-1)?.[1].text, '');
    say('transcription', 0, 'how can i help', 1);
    say('transcription', 0, 'help you', 4);
    say('transcription', 1, 'my number', 4);
    assert.deepEqual(finals(), [
      [0, 'how can i help'],
      [0, 'you'],
      [1, 'my number'],
    ]);
  });
});
