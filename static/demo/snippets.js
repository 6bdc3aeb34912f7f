/**
 * The same recording in code: for the native clients, for curl and for the SDKs of other vendors, which need only
 * another address. Pure: from an address and settings to text. For the page's code tab and for the documentation.
 *
 * @typedef {object} Place
 * @property {string} origin Of the server: "https://speech.example", with a proxy's sub-path, without a slash at the end.
 * @property {boolean} guarded Whether the server wants a token. It is never written into the code itself.
 * @property {{ silence_duration?: number, hotwords?: import('../client/types.js').Hotword[] }} config
 *
 * @typedef {object} Snippet
 * @property {string} id
 * @property {string} name
 * @property {string} [dialect] Of the server (`--dialects`), without which it does not work.
 * @property {string} note
 * @property {{ title: string, code: string }[]} blocks Each ready to be copied.
 */

/** SDKs refuse an empty key; a server without a token accepts any. */
const keyOf = (/** @type {boolean} */ guarded) => (guarded ? 'YOUR_TOKEN' : 'any');
const json = JSON.stringify;
const webSocketOf = (/** @type {string} */ origin) => origin.replace(/^http/, 'ws');

/**
 * @param {Place} place
 * @returns {Snippet[]}
 */
export function snippets(place) {
  return [javascript(place), python(place), curl(place), deepgram(place), openai(place), assemblyai(place)];
}

/** @param {Place} place @returns {Snippet} */
function javascript({ origin, guarded, config }) {
  const params = guarded ? ", params: { token: 'YOUR_TOKEN' }" : '';
  return {
    id: 'javascript',
    name: 'JavaScript',
    note: 'Reconnects and resumes by itself, without dependencies. In Node, import it from rnnt-server/client.',
    blocks: [
      {
        title: 'In a browser',
        code: `import { RNNTClient } from '${origin}/static/websocket-client.js';

const client = new RNNTClient({ url: '${webSocketOf(origin)}/ws/transcribe'${params} });
client.on('partial', ({ text }) => console.log('…', text));
client.on('transcription', ({ text }) => console.log(text));

await client.start(${objectOf(startOf(config))});
client.send(samples); // Float32Array or Int16Array, any length, as often as you like
const { transcript } = await client.stop();
client.close();
`,
      },
    ],
  };
}

/** @param {Place} place @returns {Snippet} */
function python({ origin, guarded, config }) {
  const { silence_duration: silence, hotwords = [] } = config;
  const settings = [
    ...(silence === undefined ? [] : [`silence_duration=${silence}`]),
    ...(hotwords.length === 0 ? [] : [`hotwords=${json(hotwords)}`]),
  ];
  const token = guarded ? ', token="YOUR_TOKEN"' : '';
  return {
    id: 'python',
    name: 'Python',
    note: 'pip install ./clients/python',
    blocks: [
      {
        title: 'A file; the asyncio client streams live',
        code: `from websocket_client.sync import RNNTClient

client = RNNTClient("${webSocketOf(origin)}/ws/transcribe"${token})
print(client.transcribe(${['"speech.wav"', ...settings].join(', ')}).text)
`,
      },
    ],
  };
}

/** @param {Place} place @returns {Snippet} */
function curl({ origin, guarded, config }) {
  const query = new URLSearchParams();
  if (config.silence_duration !== undefined) query.set('silence_duration', String(config.silence_duration));
  for (const { phrase, boost } of config.hotwords ?? []) query.append('hotwords', `${phrase}:${boost}`);
  const header = guarded ? " -H 'Authorization: Bearer YOUR_TOKEN'" : '';
  const search = query.size > 0 ? `?${query}` : '';
  return {
    id: 'curl',
    name: 'curl',
    note: 'A whole file. Also as SRT or WebVTT: format=srt, format=vtt.',
    blocks: [
      {
        title: 'A file',
        code: `curl${header} --data-binary @speech.wav \\
  '${origin}/transcribe/file${search.replaceAll("'", '%27')}'
`,
      },
    ],
  };
}

/** @param {Place} place @returns {Snippet} */
function deepgram({ origin, guarded, config }) {
  const { silence_duration: silence, hotwords = [] } = config;
  const options = {
    encoding: 'linear16',
    sample_rate: 16_000,
    interim_results: true,
    ...(silence === undefined ? {} : { endpointing: Math.round(silence * 1_000) }),
    ...(hotwords.length === 0 ? {} : { keyterm: hotwords.map(({ phrase }) => phrase) }),
  };
  const address = webSocketOf(origin);
  return {
    id: 'deepgram',
    name: 'Deepgram',
    dialect: 'deepgram',
    note: 'Deepgram’s SDKs with another address.',
    blocks: [
      {
        title: 'JavaScript, @deepgram/sdk 5',
        code: `import { DeepgramClient } from '@deepgram/sdk';

const deepgram = new DeepgramClient({ apiKey: '${keyOf(guarded)}', baseUrl: '${origin}' });
const live = await deepgram.listen.v1.connect(${objectOf(options)});
live.on('message', ({ type, channel }) => {
  if (type === 'Results') console.log(channel.alternatives[0].transcript);
});
live.connect();
await live.waitForOpen();
live.sendMedia(audio); // bytes of 16-bit samples, as often as you like
live.sendCloseStream({ type: 'CloseStream' });
`,
      },
      {
        title: 'Python, deepgram-sdk 7',
        code: `from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment

client = DeepgramClient(
    api_key="${keyOf(guarded)}",
    environment=DeepgramClientEnvironment(
        base="${origin}", production="${address}", agent="${address}", agent_rest="${origin}"
    ),
)
with open("speech.wav", "rb") as audio:
    answer = client.listen.v1.media.transcribe_file(request=audio.read())
print(answer.results.channels[0].alternatives[0].transcript)
`,
      },
    ],
  };
}

/** @param {Place} place @returns {Snippet} */
function openai({ origin, guarded }) {
  return {
    id: 'openai',
    name: 'OpenAI',
    dialect: 'openai',
    note: 'OpenAI’s SDKs, and every tool that takes a base URL.',
    blocks: [
      {
        title: 'Python',
        code: `from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key="${keyOf(guarded)}")
with open("speech.wav", "rb") as audio:
    print(client.audio.transcriptions.create(model="whisper-1", file=audio).text)
`,
      },
      {
        title: 'JavaScript',
        code: `import { createReadStream } from 'node:fs';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '${keyOf(guarded)}' });
const file = createReadStream('speech.wav');
console.log((await client.audio.transcriptions.create({ model: 'whisper-1', file })).text);
`,
      },
    ],
  };
}

/** @param {Place} place @returns {Snippet} */
function assemblyai({ origin, guarded, config }) {
  const { silence_duration: silence, hotwords = [] } = config;
  const address = webSocketOf(origin);
  const options = {
    websocketBaseUrl: `${address}/v3/ws`,
    sampleRate: 16_000,
    ...(silence === undefined ? {} : { minTurnSilence: Math.round(silence * 1_000) }),
    ...(hotwords.length === 0 ? {} : { keytermsPrompt: hotwords.map(({ phrase }) => phrase) }),
  };
  const tls = address.startsWith('wss:') ? '' : ' Its JavaScript SDK takes wss addresses only.';
  return {
    id: 'assemblyai',
    name: 'AssemblyAI',
    dialect: 'assemblyai',
    note: `AssemblyAI’s SDKs with another address.${tls}`,
    blocks: [
      {
        title: 'JavaScript',
        code: `import { AssemblyAI } from 'assemblyai';

const client = new AssemblyAI({ apiKey: '${keyOf(guarded)}' });
const live = client.streaming.transcriber(${objectOf(options)});
live.on('turn', ({ transcript, end_of_turn }) => console.log(end_of_turn, transcript));
await live.connect();
live.sendAudio(audio); // bytes of 16-bit samples, as often as you like
await live.close();
`,
      },
      {
        title: 'Python, assemblyai 0.64.33 or later',
        code: `from assemblyai.streaming.v3 import StreamingClient, StreamingClientOptions, StreamingEvents, StreamingParameters

client = StreamingClient(StreamingClientOptions(api_host="${address}", api_key="${keyOf(guarded)}"))
client.on(StreamingEvents.Turn, lambda _, turn: print(turn.end_of_turn, turn.transcript))
client.connect(StreamingParameters(sample_rate=16000${pythonTuning(config)}))
client.stream(audio)  # bytes of 16-bit samples, as often as you like
client.disconnect(terminate=True)
`,
      },
    ],
  };
}

/** The same settings as named arguments. @param {Place['config']} config */
function pythonTuning({ silence_duration: silence, hotwords = [] }) {
  return [
    ...(silence === undefined ? [] : [`, min_turn_silence=${Math.round(silence * 1_000)}`]),
    ...(hotwords.length === 0 ? [] : [`, keyterms_prompt=${json(hotwords.map(({ phrase }) => phrase))}`]),
  ].join('');
}

/** @param {Place['config']} config */
function startOf({ silence_duration, hotwords = [] }) {
  return {
    sample_rate: 16_000,
    ...(silence_duration === undefined ? {} : { silence_duration }),
    ...(hotwords.length === 0 ? {} : { hotwords }),
  };
}

/**
 * An object as source code.
 * @param {Record<string, unknown>} value
 */
function objectOf(value) {
  const fields = Object.entries(value).map(
    ([name, it]) => `  ${name}: ${json(it).replaceAll(/"(\w+)":/g, '$1: ')},`,
  );
  return `{\n${fields.join('\n')}\n}`;
}
