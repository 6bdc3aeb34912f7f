/** SDKs of other vendors with the server below a proxy's sub-path, `https://host/speech/`, as deploy/nginx-subpath.conf has it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { makeCertificate } from '../helpers/certificate.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { type PrefixProxy, startPrefixProxy } from '../helpers/prefix-proxy.js';
import { lacksModules, python } from '../helpers/python.js';
import { runProgram } from '../helpers/run-program.js';
import { sdk, sdksProblem } from '../helpers/sdks.js';

// biome-ignore lint/suspicious/noExplicitAny: the SDKs' own types are not installed where types are checked
type Anything = any;

const problem = sdksProblem();
const certificate = makeCertificate();
const needsTls = problem || (certificate === null ? 'openssl is not installed' : false);
const lacksPython = lacksModules(['openai', 'deepgram', 'assemblyai.streaming.v3']);

const PREFIX = '/speech';
const wav = readFileSync(sampleWavPath);
const samples = () => new Int16Array(wav.buffer.slice(44));
const audio = () => new Uint8Array(samples().buffer);

let live: LiveServer;
let proxy: PrefixProxy;
/** For the SDKs that speak over TLS only. */
let secure: PrefixProxy | undefined;
let expected: string;

before(async () => {
  live = await startLiveServer({ authToken: 'secret' });
  proxy = await startPrefixProxy(live.http, PREFIX);
  if (certificate !== null) {
    const [cert, key] = [readFileSync(certificate.tlsCert), readFileSync(certificate.tlsKey)];
    secure = await startPrefixProxy(live.http, PREFIX, { cert, key });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // the SDKs can be given no certificate to trust
  }
  const headers = { authorization: 'Bearer secret' };
  const upload = await fetch(`${proxy.http}/transcribe/file`, { method: 'POST', headers, body: wav });
  expected = ((await upload.json()) as { text: string }).text;
  assert.ok(expected.length > 20);
});
after(async () => {
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  await proxy?.close();
  await secure?.close();
  await live?.stop();
  certificate?.remove();
});
afterEach(() => {
  assert.deepEqual([...proxy.strays, ...(secure?.strays ?? [])], [], 'nothing is asked for outside of it');
});

const transcriptOf = (message: Anything): string => message.channel.alternatives[0].transcript;
const joined = (texts: readonly string[]): string => texts.filter((text) => text !== '').join(' ');
const LISTEN = { model: 'nova-3', encoding: 'linear16', sample_rate: 16_000 };

test('OpenAI: the path is a part of the base URL', { skip: needsTls }, async () => {
  const { OpenAI } = sdk('openai');
  const file = new File([wav], 'speech.wav');
  const plain = new OpenAI({ baseURL: `${proxy.http}/v1`, apiKey: 'secret' });
  assert.equal((await plain.audio.transcriptions.create({ model: 'whisper-1', file })).text, expected);
  const { OpenAIRealtimeWS } = sdk('openai/realtime/ws');
  const client = new OpenAI({ baseURL: `${secure?.http}/v1`, apiKey: 'secret' });
  const realtime = new OpenAIRealtimeWS({ intent: 'transcription' }, client);
  const [{ session }] = (await once(realtime, 'session.created')) as Anything[];
  assert.equal(session.type, 'transcription');
  realtime.close();
});

test('Deepgram, SDK 5: the path is a part of the base URL', { skip: problem }, async () => {
  const { DeepgramClient } = sdk('@deepgram/sdk');
  const { v1 } = new DeepgramClient({ apiKey: 'secret', baseUrl: proxy.http }).listen;
  const { results } = await v1.media.transcribeFile(wav, { model: 'nova-3' });
  assert.equal(transcriptOf({ channel: results.channels[0] }), expected);
  const connection = await v1.connect({ ...LISTEN, Authorization: 'Token secret', reconnectAttempts: 0 });
  const texts: string[] = [];
  connection.on('message', (it: Anything) => it.type === 'Results' && texts.push(transcriptOf(it)));
  const closed = new Promise((resolve) => connection.on('close', resolve));
  connection.connect();
  await connection.waitForOpen();
  connection.sendMedia(audio());
  connection.sendCloseStream({ type: 'CloseStream' });
  await closed;
  assert.equal(joined(texts), expected);
});

test('Deepgram, SDK 4: the path needs a slash at its end', { skip: problem }, async () => {
  const { createClient, LiveTranscriptionEvents: on } = sdk('deepgram-sdk-4');
  const { listen } = createClient('secret', { global: { url: `${proxy.http}/` } });
  const { result } = await listen.prerecorded.transcribeFile(wav, { model: 'nova-2' });
  assert.equal(transcriptOf({ channel: result.results.channels[0] }), expected);
  const connection = listen.live(LISTEN);
  const texts: string[] = [];
  connection.on(on.Transcript, (it: Anything) => texts.push(transcriptOf(it)));
  const closed = once(connection, on.Close);
  await once(connection, on.Open);
  connection.send(audio().buffer);
  connection.requestClose();
  await closed;
  assert.equal(joined(texts), expected);
});

test('AssemblyAI: the path is a part of the base URL', { skip: needsTls }, async () => {
  const { AssemblyAI } = sdk('assemblyai');
  const websocketBaseUrl = `${secure?.http.replace('http', 'ws')}/v3/ws`;
  const settings = { websocketBaseUrl, sampleRate: 16_000 };
  const transcriber = new AssemblyAI({ apiKey: 'secret' }).streaming.transcriber(settings);
  const texts: string[] = [];
  transcriber.on('turn', (turn: Anything) => turn.end_of_turn && texts.push(turn.transcript));
  await transcriber.connect();
  transcriber.sendAudio(audio());
  await transcriber.close();
  assert.equal(joined(texts), expected);
});

const PROGRAM = `
import json, sys, threading, wave
from assemblyai.streaming.v3 import StreamingClient, StreamingClientOptions, StreamingEvents, StreamingParameters
from deepgram import DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from openai import OpenAI

http, path = sys.argv[1:]
ws = http.replace("http", "ws", 1)
with open(path, "rb") as file:
    speech = file.read()
said = {}
said["openai"] = OpenAI(base_url=http + "/v1", api_key="secret").audio.transcriptions.create(
    file=("speech.wav", speech), model="whisper-1").text

there = DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
listen = DeepgramClient(api_key="secret", environment=there).listen.v1
answer = listen.media.transcribe_file(request=speech, model="nova-3")
said["deepgram_file"] = answer.results.channels[0].alternatives[0].transcript
messages = []
with listen.connect(model="nova-3", encoding="linear16", sample_rate=16000) as live:
    live.on(EventType.MESSAGE, messages.append)
    listening = threading.Thread(target=live.start_listening)
    listening.start()
    live.send_media(speech[44:])
    live.send_close_stream()
    listening.join(10)
texts = [it.channel.alternatives[0].transcript for it in messages if it.type == "Results"]
said["deepgram_live"] = " ".join(filter(None, texts))

turns = []
client = StreamingClient(StreamingClientOptions(api_host=ws, api_key="secret"))
client.on(StreamingEvents.Turn, lambda _, turn: turn.end_of_turn and turns.append(turn.transcript))
client.connect(StreamingParameters(sample_rate=16000))
client.stream(speech[44:])
client.disconnect(terminate=True)
said["assemblyai"] = " ".join(turns)
print(json.dumps(said))
`;

test('the Python SDKs of all three: the path is a part of each address', { skip: lacksPython }, async () => {
  const run = await runProgram(python, ['-c', PROGRAM, proxy.http, sampleWavPath]);
  assert.equal(run.code, 0, run.stderr);
  const said = JSON.parse(run.stdout);
  assert.deepEqual(said, {
    openai: expected,
    deepgram_file: expected,
    deepgram_live: expected,
    assemblyai: expected,
  });
});
