/** Clients as small as people write them, in Chromium, against the real server: a bare page, and React. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { inPackage } from '../../src/paths.js';
import { launchChromium, skipWithoutChromium, until } from '../helpers/browser.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';

/** The page of the developer guide, with this server's address. */
function guidePage(server: LiveServer): string {
  const guide = readFileSync(inPackage('docs', 'DEVELOPER_GUIDE.md'), 'utf8');
  const pages = [...guide.matchAll(/^```html\n([\s\S]*?)^```$/gm)].map(([, html]) => html ?? '');
  const page = pages.find((html) => html.includes('createScriptProcessor')) ?? '';
  assert.ok(page.includes('ws://localhost:8000/ws/transcribe'));
  return `<!doctype html><title>minimal</title>${page.replace('ws://localhost:8000/ws/transcribe', server.ws)}`;
}

/** A component over a bare WebSocket, with one connection as long as it is mounted. */
const BARE_COMPONENT = `
  import { useEffect, useRef, useState } from 'react';
  import { createRoot } from 'react-dom/client';

  function Transcriber({ url }) {
    const [isOpen, setIsOpen] = useState(false);
    const [isRecording, setIsRecording] = useState(false);
    const [transcript, setTranscript] = useState('');
    const [partial, setPartial] = useState('');
    const ws = useRef(null);
    const audio = useRef(null);

    useEffect(() => {
      ws.current = new WebSocket(url);
      ws.current.onopen = () => setIsOpen(true);
      ws.current.onmessage = (event) => {
        const data = JSON.parse(event.data);
        if (data.type === 'partial') setPartial(data.text);
        if (data.type === 'transcription') {
          setTranscript((before) => (before ? before + ' ' + data.text : data.text));
          setPartial('');
        }
      };
      return () => ws.current.close();
    }, [url]);

    const start = async () => {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { sampleRate: 16000, channelCount: 1 } });
      const context = new AudioContext({ sampleRate: 16000 });
      const processor = context.createScriptProcessor(4096, 1, 1);
      ws.current.send(JSON.stringify({ type: 'start_recording', config: { sample_rate: 16000, encoding: 'pcm16' } }));
      processor.onaudioprocess = (event) => {
        const float = event.inputBuffer.getChannelData(0);
        const pcm = new Int16Array(float.length);
        for (let i = 0; i < float.length; i++) pcm[i] = Math.max(-32768, Math.min(32767, float[i] * 32768));
        ws.current.send(pcm.buffer);
      };
      context.createMediaStreamSource(stream).connect(processor);
      processor.connect(context.destination);
      audio.current = { stream, context, processor };
      setIsRecording(true);
    };
    const stop = () => {
      const { stream, context, processor } = audio.current;
      processor.disconnect();
      context.close();
      stream.getTracks().forEach((track) => track.stop());
      ws.current.send(JSON.stringify({ type: 'stop_recording' }));
      setIsRecording(false);
    };
    return (
      <div>
        <button disabled={!isOpen} onClick={isRecording ? stop : start}>{isRecording ? 'Stop' : 'Start'}</button>
        <p id="finals">{transcript}</p>
        <p id="partial">{partial}</p>
      </div>
    );
  }
  createRoot(document.getElementById('root')).render(<Transcriber url={globalThis.speechUrl} />);`;

const OUR_COMPONENT = `
  import { createRoot } from 'react-dom/client';
  import { RNNTRecorder } from ${JSON.stringify(inPackage('examples', 'react', 'RNNTRecorder.jsx'))};
  createRoot(document.getElementById('root')).render(
    <RNNTRecorder url={globalThis.speechUrl} workletUrl="/static/pcm-worklet.js"
      onTranscript={(text) => { document.title = text; }} />,
  );`;

describe('minimal clients in Chromium', { skip: skipWithoutChromium, timeout: 300_000 }, () => {
  let server: LiveServer;
  let browser: Browser;

  before(async () => {
    server = await startLiveServer();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A page in the place of one of the server's, so that it has the server's origin. */
  async function open(html: string): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
    await page.goto(`${server.http}/examples/simple-client.html`);
    await page.setContent(html);
    return { page, complaints };
  }
  async function openReact(source: string) {
    const { outputFiles } = await build({
      stdin: { contents: source, loader: 'jsx', resolveDir: inPackage() },
      bundle: true,
      format: 'esm',
      jsx: 'automatic',
      logLevel: 'silent',
      platform: 'browser',
      write: false,
      define: { 'process.env.NODE_ENV': '"production"' },
    });
    const html = `<!doctype html><title>react</title><div id="root"></div>
      <script>globalThis.speechUrl = ${JSON.stringify(server.ws)};</script>
      <script type="module">${outputFiles[0]?.text.replaceAll('</script', '<\\/script')}</script>`;
    return open(html);
  }
  const words = (page: Page, selector: string) => page.locator(selector, { hasText: /\w+ \w+/ }).waitFor();

  it('the page of the developer guide, without any library, shows partials and finals', async () => {
    const { page, complaints } = await open(guidePage(server));
    await page.click('#start');
    await words(page, '#partial');
    await page.locator('#start', { hasText: 'Stop' }).click();
    await words(page, '#finals');
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('a React component over a bare WebSocket shows the words, and the last ones after Stop', async () => {
    const { page, complaints } = await openReact(BARE_COMPONENT);
    await page.locator('button', { hasText: 'Start' }).click();
    await words(page, '#partial');
    await page.locator('button', { hasText: 'Stop' }).click();
    await words(page, '#finals');
    assert.equal(await page.textContent('#partial'), '');
    assert.deepEqual(complaints, []);
    await page.close();
  });

  it('RNNTRecorder records, shows the words with their times, and hands the transcript over', async () => {
    const { page, complaints } = await openReact(OUR_COMPONENT);
    await page.locator('button', { hasText: 'Speak' }).click();
    await words(page, 'section > p:last-child');
    await page.locator('button', { hasText: 'Stop' }).click();
    await words(page, '[aria-live]');
    assert.match(
      (await page.getAttribute('[aria-live] span span', 'title')) ?? '',
      /^\d+\.\d\d s, confidence/,
    );
    await until(page, 'document.title.includes(" ")');
    assert.deepEqual(complaints, []);
    await page.close();
  });
});
