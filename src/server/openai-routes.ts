/**
 * OpenAI's HTTP interface: `POST /v1/audio/transcriptions`, `GET /v1/models`. Clients are directed here by their base
 * URL. Refusals, including the framework's own, have OpenAI's format (`refusalAt`).
 */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ServerError, toServerError } from '../errors.js';
import { FORMAT_FILES, warningsHeader } from '../protocol/file-formats.js';
import { renderFile } from '../protocol/file-result.js';
import {
  modelOf,
  parseTranscription,
  renderTranscriptionFile,
  TranscriptionEvents,
} from '../protocol/openai.js';
import { type FileProgress, recogniseFile } from '../session/file-job.js';
import type { Segment } from '../transcript/transcript.js';
import { requireReady, urlOf } from './admission.js';
import type { ServerContext } from './context.js';
import { PacedStream } from './paced-stream.js';
import { readUpload } from './upload-body.js';
import { checkCaller, maxBytesOf, type UploadCall, uploadScope } from './upload-route.js';

export async function openAiRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  const post = uploadScope(app, context);
  post('/v1/audio/transcriptions', transcribe);
  post('/v1/audio/translations', async () => {
    throw new ServerError('BAD_REQUEST', 'This server transcribes; it does not translate.');
  });
  const model = () => {
    const { engine, readyAtMs } = requireReady(context);
    return modelOf(engine.model.manifest, Math.floor((performance.timeOrigin + readyAtMs) / 1000));
  };
  // Many tools list the models to check a key.
  app.get('/v1/models', async (request) => {
    checkCaller(context, request);
    return { object: 'list', data: [model()] };
  });
  app.get('/v1/models/:model', async (request) => {
    checkCaller(context, request);
    return model();
  });
}

async function transcribe(call: UploadCall) {
  const { context, recogniser, request, reply, aborter } = call;
  const { manifest } = recogniser.engine.model;
  const { bytes, fields } = readUpload(request, maxBytesOf(context));
  const asked = parseTranscription([...urlOf(request).searchParams, ...fields], manifest);
  const { wanted, warnings, format } = asked;
  if (warnings.length > 0) reply.header('x-warnings', warningsHeader(warnings));
  const source = { bytes, wanted };
  if (asked.stream) return stream(call, source);
  const result = await recogniseFile(recogniser.files, source, undefined, aborter.signal);
  const file = renderFile(result, manifest.confidence, false, warnings);
  const body = renderTranscriptionFile(asked, file, manifest.language);
  return reply.type(FORMAT_FILES[format].contentType).send(body);
}

async function stream({ context, recogniser, reply, aborter }: UploadCall, source: { bytes: Uint8Array }) {
  const events = new DeltaStream(reply, () => aborter.abort(new ServerError('SLOW_READER')));
  try {
    const { samples } = await recogniseFile(recogniser.files, source, events, aborter.signal);
    events.done(samples);
  } catch (thrown) {
    if (!events.begun) throw thrown; // the response has not begun
    const error = toServerError(thrown);
    if (error.code === 'INTERNAL') context.log.error({ err: thrown }, 'a transcription failed');
    context.metrics.countError(error.code);
    events.failed(error);
    if (error.code === 'SLOW_READER') reply.raw.destroy(); // a client that does not read would never see the end
  } finally {
    events.close();
  }
  reply.raw.end();
  return reply;
}

/** A streamed transcription. The response begins with the first recognised audio, so bad audio still gives a 400. */
class DeltaStream extends PacedStream implements FileProgress {
  begun = false;
  private readonly reply: FastifyReply;
  private readonly events = new TranscriptionEvents();

  constructor(reply: FastifyReply, onStalled: () => void) {
    super(reply.raw, onStalled);
    this.reply = reply;
  }

  onSegment(segment: Segment): void {
    this.say(this.events.segment(segment));
  }

  onProgress(): void {
    this.begin();
  }

  done(samples: number): void {
    this.say(this.events.done(samples));
  }

  failed({ code, detail }: ServerError): void {
    this.say(this.events.failed(code, detail));
  }

  private say(text: string): void {
    this.begin();
    if (text !== '') this.send(text);
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    this.reply.hijack();
    this.reply.raw.writeHead(200, {
      ...(this.reply.getHeaders() as OutgoingHttpHeaders), // of CORS
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
  }
}
