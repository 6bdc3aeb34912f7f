/**
 * `POST /transcribe/file`: a whole file, as multipart/form-data (its file field) or as the raw body. Responds with
 * JSON, text or subtitles, or with progress events for `Accept: text/event-stream` or `application/x-ndjson`. The query
 * and the form's fields set the recognition settings (`upload-query.ts`).
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServerError, toServerError } from '../errors.js';
import type { Spoken } from '../models/languages.js';
import { FORMAT_FILES, renderAs, verboseJson, warningsHeader } from '../protocol/file-formats.js';
import { renderFile } from '../protocol/file-result.js';
import { renderError, round } from '../protocol/render.js';
import { parseUpload, type UploadRequest } from '../protocol/upload-query.js';
import { type FileProgress, recogniseFile } from '../session/file-job.js';
import { urlOf } from './admission.js';
import type { Recogniser, ServerContext } from './context.js';
import { readUpload } from './upload-body.js';
import { ProgressStream, type ProgressStyle, progressStyle } from './upload-progress.js';
import { maxBytesOf, type UploadCall, uploadScope } from './upload-route.js';

export async function uploadRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  uploadScope(app, context)('/transcribe/file', transcribeFile);
}

/** The content and settings of a request. */
interface Job extends UploadRequest {
  readonly bytes: Uint8Array;
}

/** The query and the form's fields; the form takes precedence. */
function readJob(context: ServerContext, request: FastifyRequest, spoken: Spoken): Job {
  const { bytes, fields } = readUpload(request, maxBytesOf(context));
  return { bytes, ...parseUpload([...urlOf(request).searchParams, ...fields], spoken) };
}

async function transcribeFile({ context, recogniser, request, reply, startedMs, aborter }: UploadCall) {
  const { manifest } = recogniser.engine.model;
  const { language } = manifest;
  const job = readJob(context, request, manifest);
  const style = progressStyle(request.headers.accept ?? '');
  if (style === null) {
    const { file, about } = await transcribe(recogniser, job, startedMs, undefined, aborter.signal);
    if (file.warnings.length > 0) reply.header('x-warnings', warningsHeader(file.warnings));
    return reply.type(FORMAT_FILES[job.format].contentType).send(renderAs(job.format, file, language, about));
  }
  reply.hijack();
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders), // of CORS
    'content-type': style.contentType,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  await tell(context, recogniser, reply.raw, style, job, startedMs, aborter);
  return reply;
}

/** Responds with events: segments and progress as they come, then the result or the error. */
async function tell(
  context: ServerContext,
  recogniser: Recogniser,
  raw: ServerResponse,
  style: ProgressStyle,
  job: Job,
  startedMs: number,
  aborter: AbortController,
): Promise<void> {
  const { confidence, language } = recogniser.engine.model.manifest;
  const about = { calibration: confidence, separate: job.separate };
  const progress = new ProgressStream(raw, style, about, () => aborter.abort(new ServerError('SLOW_READER')));
  try {
    const { file, about } = await transcribe(recogniser, job, startedMs, progress, aborter.signal);
    const result = job.format === 'verbose_json' ? verboseJson(file, { language }) : { ...file, ...about };
    const isObject = job.format === 'json' || job.format === 'verbose_json';
    // Text and subtitles come as a field next to the result.
    const extra = isObject ? {} : { [job.format]: renderAs(job.format, file, language) };
    progress.write('result', { ...result, ...extra });
  } catch (thrown) {
    const error = toServerError(thrown);
    if (error.code === 'INTERNAL') context.log.error({ err: thrown }, 'an upload failed');
    context.metrics.countError(error.code);
    progress.write('error', renderError(error.code, error.detail));
    if (error.code === 'SLOW_READER') raw.destroy(); // a client that does not read would never see the end
  } finally {
    progress.close();
  }
  raw.end();
}

/** Recognises the bytes. Returns the transcript and facts about it for the response. */
async function transcribe(
  recogniser: Recogniser,
  job: Job,
  startedMs: number,
  progress: FileProgress | undefined,
  signal: AbortSignal,
) {
  const { manifest } = recogniser.engine.model;
  const { bytes, wanted, separate, raw } = job;
  const result = await recogniseFile(
    recogniser.files,
    { bytes, wanted, separate, format: raw },
    progress,
    signal,
  );
  const file = renderFile(result, manifest.confidence, separate, job.warnings);
  const processingMs = performance.now() - startedMs;
  const seconds = file.audio_duration_s;
  const about = {
    language: manifest.language,
    model: manifest.name,
    processing_time_ms: round(processingMs, 1),
    real_time_factor: seconds === 0 ? 0 : round(processingMs / 1000 / seconds, 4),
  };
  return { file, about };
}
