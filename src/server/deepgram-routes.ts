/** Deepgram's `POST /v1/listen`: the body is a file. Its live protocol is an upgrade of the same path. */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../errors.js';
import { deepgramFile, deepgramModel } from '../protocol/deepgram.js';
import { renderFile } from '../protocol/file-result.js';
import { hotwordsIn } from '../protocol/query.js';
import { parseUpload } from '../protocol/upload-query.js';
import { recogniseFile } from '../session/file-job.js';
import { urlOf } from './admission.js';
import type { ServerContext } from './context.js';
import { readUpload } from './upload-body.js';
import { maxBytesOf, type UploadCall, uploadScope } from './upload-route.js';

export async function deepgramRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  uploadScope(app, context)('/v1/listen', transcribe);
}

/** Longer than any URL. Larger files that begin like JSON are not parsed. */
const MOST_JSON_BYTES = 16 * 1024;
const OPENING_BRACE = 0x7b;
const PHRASES = ['keyterm', 'keywords'];

async function transcribe({ context, recogniser, request, reply, aborter }: UploadCall) {
  const { manifest } = recogniser.engine.model;
  const created = new Date();
  const { bytes, fields } = readUpload(request, maxBytesOf(context));
  if (namesUrl(bytes)) {
    throw new ServerError(
      'BAD_REQUEST',
      'This server does not fetch URLs: send the file itself as the body.',
    );
  }
  const pairs = [...urlOf(request).searchParams, ...fields];
  const hotwords = hotwordsIn(pairs.filter(([name]) => PHRASES.includes(name)).map(([, value]) => value));
  const others = pairs.filter(([name]) => !PHRASES.includes(name));
  const { wanted, separate, raw, warnings } = parseUpload(others, manifest);
  const sha256 = createHash('sha256').update(bytes).digest('hex'); // before the bytes are transferred
  const result = await recogniseFile(
    recogniser.files,
    { bytes, wanted: hotwords.length > 0 ? { ...wanted, hotwords } : wanted, separate, format: raw },
    undefined,
    aborter.signal,
  );
  const file = renderFile(result, manifest.confidence, separate, warnings);
  return reply.send(deepgramFile(file, { sha256, created }, deepgramModel(manifest)));
}

/** `{"url": …}` asks the server to fetch a file. */
function namesUrl(bytes: Uint8Array): boolean {
  if (bytes[0] !== OPENING_BRACE || bytes.length > MOST_JSON_BYTES) return false;
  try {
    const body: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof body === 'object' && body !== null && 'url' in body;
  } catch {
    return false;
  }
}
