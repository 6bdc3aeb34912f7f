/** The Twilio bridge between a call as Twilio sends it, the real server and a callback. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { MULAW } from '../../src/audio/g711.js';
import { packageRoot } from '../../src/paths.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { startLiveServer } from '../helpers/live-server.js';
import { cut } from '../helpers/ws-client.js';

interface Delivered {
  callSid: string;
  track: string;
  text: string;
  words: { start: number }[];
}

/** The byte whose sample is nearest. */
function toMulaw(sample: number): number {
  let best = 0;
  for (let code = 1; code < 256; code++) {
    if (Math.abs(MULAW[code]! - sample) < Math.abs(MULAW[best]! - sample)) best = code;
  }
  return best;
}

/** The sample at 8 kHz, in μ-law. */
function telephoneSpeech(): Uint8Array {
  const pcm = new Int16Array(readFileSync(sampleWavPath).buffer.slice(44));
  return Uint8Array.from({ length: pcm.length >> 1 }, (_, i) => toMulaw((pcm[2 * i]! + pcm[2 * i + 1]!) / 2));
}

test(
  'a call of two tracks comes back as transcripts of the one that speaks',
  { timeout: 60_000 },
  async () => {
    const server = await startLiveServer();
    const delivered: Delivered[] = [];
    let onDelivered = () => {};
    const callback = createServer(async (request, response) => {
      delivered.push((await json(request)) as Delivered);
      response.end();
      onDelivered();
    }).listen(0, '127.0.0.1');
    await once(callback, 'listening');
    const address = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/`;
    const args = ['examples/twilio/bridge.js', '--port', '0', '--server', server.ws, '--callback', address];
    const bridge = spawn(process.execPath, args, { cwd: packageRoot });
    try {
      const [line] = (await once(createInterface(bridge.stderr), 'line')) as string[];
      const call = new WebSocket(`ws://127.0.0.1:${/\d+$/.exec(line ?? '')?.[0]}`);
      await once(call, 'open');
      const say = (message: object) => call.send(JSON.stringify({ streamSid: 'MZ1', ...message }));
      say({ event: 'connected', protocol: 'Call', version: '1.0.0' });
      const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000, channels: 1 };
      say({ event: 'start', start: { callSid: 'CA1', tracks: ['inbound', 'outbound'], mediaFormat } });
      for (const piece of cut(telephoneSpeech(), 160)) {
        say({ event: 'media', media: { track: 'inbound', payload: Buffer.from(piece).toString('base64') } });
        say({
          event: 'media',
          media: { track: 'outbound', payload: Buffer.alloc(160, 0xff).toString('base64') },
        });
      }
      say({ event: 'stop', stop: { callSid: 'CA1' } });
      while (delivered.length === 0) {
        await new Promise<void>((resolve) => {
          onDelivered = resolve;
        });
      }
      call.close();
      const [first] = delivered;
      assert.deepEqual([first?.callSid, first?.track], ['CA1', 'inbound']);
      assert.ok((first?.text.split(' ').length ?? 0) > 5, first?.text);
      const starts = first?.words.map(({ start }) => start) ?? [];
      assert.deepEqual(
        starts,
        starts.toSorted((a, b) => a - b),
      );
    } finally {
      bridge.kill();
      callback.close();
      await server.stop();
    }
  },
);
