/**
 * Bodies of uploads: a file as the raw body under any content type, or multipart/form-data with fields before or after
 * it. Routes with such bodies are in a scope prepared by `acceptUploads`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.js';
import { isForm, parseForm } from './multipart.js';

export interface UploadBody {
  readonly bytes: Uint8Array;
  /** The fields of the form, in order. */
  readonly fields: readonly (readonly [string, string])[];
}

/** Allowance for the parts of a form other than its file. */
const FORM_BYTES = 1 << 20;

/** Maximum size of a body, for a route's `bodyLimit`: the file, and what a form adds to it. */
export const bodyLimitOf = (maxFileBytes: number): number => maxFileBytes + FORM_BYTES;

/** Prepares a separate scope for files of up to `maxFileBytes`. */
export function acceptUploads(scope: FastifyInstance, maxFileBytes: number): void {
  // The content type is ignored: the bytes show the format. So no body is parsed as JSON or text, and an invalid type
  // (`audio`) is not an error.
  scope.removeContentTypeParser(['application/json', 'text/plain']);
  const options = { parseAs: 'buffer', bodyLimit: bodyLimitOf(maxFileBytes) } as const;
  scope.addContentTypeParser('*', options, (_request, body, done) => done(null, body));
  scope.addHook('onRequest', async ({ headers }) => {
    const type = headers['content-type'];
    if (type !== undefined && !isForm(type)) headers['content-type'] = 'application/octet-stream';
  });
}

/** @throws ServerError UPLOAD_MISSING, UPLOAD_TOO_LARGE, BAD_REQUEST when a form cannot be read */
export function readUpload(request: FastifyRequest, maxFileBytes: number): UploadBody {
  const { body } = request;
  if (!Buffer.isBuffer(body)) throw new ServerError('UPLOAD_MISSING');
  const type = request.headers['content-type'] ?? '';
  const form = isForm(type) ? parseForm(body, type) : undefined;
  if (form !== undefined && form.files.length > 1) {
    throw new ServerError('BAD_REQUEST', `The form has ${form.files.length} files; exactly one is expected.`);
  }
  const bytes = form === undefined ? body : form.files[0]?.bytes;
  if (bytes === undefined || bytes.length === 0) throw new ServerError('UPLOAD_MISSING');
  if (bytes.length > maxFileBytes) throw new ServerError('UPLOAD_TOO_LARGE');
  return { bytes, fields: form?.fields ?? [] };
}
