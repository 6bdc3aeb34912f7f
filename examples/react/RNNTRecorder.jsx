/**
 * A button that turns speech into text.
 *
 *     <RNNTRecorder url="wss://speech.example.com/ws/transcribe" onTranscript={(text) => …} />
 *
 * The audio worklet is a file of its own: copy `static/pcm-worklet.js` into what your site serves, and name it with
 * `workletUrl` unless it lies at /pcm-worklet.js.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { AudioRecorder } from 'rnnt-server/audio-recorder';
import { RNNTClient } from 'rnnt-server/client';

/** Speech recognition as a hook: the state, and what to do with it. */
export function useRNNT({ url, config = {}, workletUrl = '/pcm-worklet.js', onTranscript }) {
  const [status, setStatus] = useState({ state: 'idle', reason: null });
  const [segments, setSegments] = useState([]);
  const [partial, setPartial] = useState('');
  const [recording, setRecording] = useState(false);
  const client = useRef(null);
  const recorder = useRef(null);

  useEffect(() => {
    const connection = new RNNTClient({ url });
    const microphone = new AudioRecorder({ workletUrl });
    microphone.on('samples', (samples) => connection.send(samples));
    connection.on('state', ({ state, reason }) => setStatus({ state, reason: reason?.text ?? null }));
    connection.on('partial', ({ text }) => setPartial(text));
    connection.on('transcription', (segment) => {
      setPartial('');
      setSegments((before) => [...before, segment]);
    });
    client.current = connection;
    recorder.current = microphone;
    return () => {
      microphone.stop();
      connection.close();
    };
  }, [url, workletUrl]);

  const start = useCallback(async () => {
    setSegments([]);
    try {
      const { sampleRate } = await recorder.current.start();
      await client.current.start({ ...config, sample_rate: sampleRate });
      setRecording(true);
    } catch (error) {
      await recorder.current.stop();
      setStatus({ state: 'failed', reason: error.message });
    }
  }, [config]);

  const stop = useCallback(async () => {
    setRecording(false);
    await recorder.current.stop();
    const { transcript } = await client.current.stop();
    onTranscript?.(transcript);
  }, [onTranscript]);

  return { status, recording, segments, partial, start, stop };
}

export function RNNTRecorder({ url, config, workletUrl, onTranscript }) {
  const speech = useRNNT({ url, config, workletUrl, onTranscript });
  const { status, recording, segments, partial } = speech;
  return (
    <section aria-label="Speech to text">
      <button type="button" onClick={recording ? speech.stop : speech.start} aria-pressed={recording}>
        {recording ? 'Stop' : 'Speak'}
      </button>
      <output>{status.reason ?? status.state}</output>
      <p aria-live="polite">
        {segments.map(({ segment_id, words }) => (
          <span key={segment_id}>
            {words.map(({ word, start: at, confidence }) => (
              <span key={at} title={`${at.toFixed(2)} s, confidence ${confidence.toFixed(2)}`}>
                {word}{' '}
              </span>
            ))}
          </span>
        ))}
      </p>
      <p style={{ opacity: 0.6 }}>{partial}</p>
    </section>
  );
}

export default RNNTRecorder;
