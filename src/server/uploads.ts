/**
 * `POST /transcribe/file`: a whole file, as multipart/form-data (first file field) or as the raw body. Answers with
 * JSON; with `Accept: text/event-stream` or `application/x-ndjson` it tells its progress as it goes. The query may set
 * what the recognition goes by (`UPLOAD_FIELDS`).
 */
import type { OutgoingHttpHeaders } from 'node:http';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServerError, toServerError } from '../errors.js';
import { parseUploadQuery } from '../protocol/parse.js';
import { renderError, renderFile, round } from '../protocol/render.js';
import { type FileProgress, type FileSource, recogniseFile } from '../session/file-job.js';
import { checkToken, requireReady, urlOf } from './admission.js';
import type { Recogniser, ServerContext } from './context.js';
import { checkOrigin } from './origins.js';
import { ProgressStream, progressStyle } from './upload-progress.js';

declare module 'fastify' {
  interface FastifyRequest {
    leaveUploads: (() => void) | null;
  }
}

export async function uploadRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  const maxBytes = Math.floor(context.config.maxUploadMb * 1024 * 1024);
  // A body is audio, whatever its type says: curl calls it a form, others JSON or text. Its first bytes decide.
  app.removeAllContentTypeParsers();
  await app.register(multipart, {
    limits: { fileSize: maxBytes, files: 1, fields: 20, fieldSize: 64 * 1024 },
  });
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) =>
    done(null, body),
  );
  app.decorateRequest('leaveUploads', null);
  app.route({
    method: 'POST',
    url: '/transcribe/file',
    bodyLimit: maxBytes,
    // Before the body is read: who may not stay need not send it.
    onRequest: async (request) => {
      checkOrigin(context.config.allowedOrigins, request.raw);
      checkToken(context.config.authToken, request.raw, urlOf(request));
      request.leaveUploads = requireReady(context).uploads.enter();
    },
    onResponse: async (request) => request.leaveUploads?.(),
    onRequestAbort: async (request) => request.leaveUploads?.(),
    handler: async (request, reply) => {
      try {
        return await transcribeFile(context, request, reply);
      } finally {
        // A client that goes away after its last byte gets no response, and was not aborted while sending.
        request.leaveUploads?.();
      }
    },
  });
}

async function readBody(request: FastifyRequest): Promise<Uint8Array> {
  if (!request.isMultipart()) {
    if (Buffer.isBuffer(request.body) && request.body.length > 0) return request.body;
    throw new ServerError('UPLOAD_MISSING');
  }
  const file = await request.file();
  if (file === undefined) throw new ServerError('UPLOAD_MISSING');
  const bytes = await file.toBuffer();
  if (bytes.length === 0) throw new ServerError('UPLOAD_MISSING');
  return bytes;
}

async function transcribeFile(context: ServerContext, request: FastifyRequest, reply: FastifyReply) {
  const recogniser = requireReady(context);
  const startedMs = performance.now();
  const wanted = parseUploadQuery(urlOf(request).searchParams);
  const job = { bytes: await readBody(request), wanted };
  const aborter = new AbortController();
  // The response's close: the request's own comes as soon as its body is read.
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) aborter.abort(new ServerError('BAD_REQUEST', 'the client went away'));
  });
  const style = progressStyle(request.headers.accept ?? '');
  if (style === null) return transcribe(recogniser, job, startedMs, undefined, aborter.signal);

  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders), // of CORS
    'content-type': style.contentType,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const { confidence } = recogniser.engine.model.manifest;
  const progress = new ProgressStream(raw, style, confidence, () =>
    aborter.abort(new ServerError('SLOW_READER')),
  );
  try {
    progress.write('result', await transcribe(recogniser, job, startedMs, progress, aborter.signal));
  } catch (thrown) {
    const error = toServerError(thrown);
    if (error.code === 'INTERNAL') context.log.error({ err: thrown }, 'an upload failed');
    context.metrics.countError(error.code);
    progress.write('error', renderError(error.code, error.detail));
    if (error.code === 'SLOW_READER') raw.destroy(); // whoever reads nothing would never see an end
  } finally {
    progress.close();
  }
  raw.end();
  return reply;
}

/** Recognises the bytes and renders the answer; the same fields as the WebSocket's, plus timings. */
async function transcribe(
  recogniser: Recogniser,
  job: FileSource,
  startedMs: number,
  progress: FileProgress | undefined,
  signal: AbortSignal,
) {
  const { manifest } = recogniser.engine.model;
  const result = await recogniseFile(recogniser.files, job, progress, signal);
  const file = renderFile(result, manifest.confidence);
  const processingMs = performance.now() - startedMs;
  const seconds = file.audio_duration_s;
  return {
    ...file,
    language: manifest.language,
    model: manifest.name,
    processing_time_ms: round(processingMs, 1),
    real_time_factor: seconds === 0 ? 0 : round(processingMs / 1000 / seconds, 4),
  };
}
