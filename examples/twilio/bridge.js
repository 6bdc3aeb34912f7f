// Twilio Media Streams → rnnt-server → your callback. One stream per track of a call, μ-law at 8 kHz as Twilio sends it.
//
//   node examples/twilio/bridge.js --callback http://localhost:9000/transcripts
//
// Answer the call with this TwiML; the address must be reachable from Twilio, over wss:
//   <Response><Start><Stream url="wss://HOST/" track="both_tracks"/></Start> …
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    server: { type: 'string', default: 'ws://localhost:8000/ws/transcribe' },
    callback: { type: 'string' },
  },
});
const START = { type: 'start_recording', config: { encoding: 'mulaw', sample_rate: 8000 } };

/** Opens a recording for one track; every final segment is sent to the callback. */
function openTrack(callSid, track) {
  const socket = new WebSocket(values.server);
  let early = []; // audio from before the socket was open
  const send = (data) => (early === null ? socket.send(data) : early.push(data));
  send(JSON.stringify(START));
  socket.on('open', () => {
    for (const data of early) socket.send(data);
    early = null;
  });
  socket.on('message', (data) => {
    const { type, text, words, code } = JSON.parse(data);
    if (type === 'transcription') deliver({ callSid, track, text, words });
    if (type === 'error') console.error(`${callSid} ${track}: ${code}`);
    if (type === 'recording_stopped') socket.close();
  });
  socket.on('error', (error) => console.error(`${callSid} ${track}: ${error.message}`));
  return { audio: send, stop: () => send('{"type":"stop_recording"}') };
}

function deliver(result) {
  if (values.callback === undefined) return console.log(JSON.stringify(result));
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(result),
  };
  fetch(values.callback, request).catch((error) => console.error(`callback: ${error.message}`));
}

const bridge = new WebSocketServer({ port: Number(values.port) });
bridge.on('listening', () => console.error(`listening on port ${bridge.address().port}`));
bridge.on('connection', (call) => {
  const tracks = new Map();
  const stop = () => {
    for (const track of tracks.values()) track.stop();
    tracks.clear();
  };
  call.on('message', (data) => {
    const { event, start, media } = JSON.parse(data);
    if (event === 'start') for (const name of start.tracks) tracks.set(name, openTrack(start.callSid, name));
    if (event === 'media') tracks.get(media.track)?.audio(Buffer.from(media.payload, 'base64'));
    if (event === 'stop') stop();
  });
  call.on('close', stop);
});
