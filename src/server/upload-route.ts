/** Common parts of all routes that take a whole file: authorisation, places, and clients that disconnect. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Grant } from '../auth/grant.js';
import { ServerError } from '../errors.js';
import { requireReady, urlOf } from './admission.js';
import type { Recogniser, ServerContext } from './context.js';
import { whoAsks } from './keys.js';
import { checkOrigin } from './origins.js';
import { acceptUploads, bodyLimitOf } from './upload-body.js';
import type { UploadPlaces } from './upload-places.js';

declare module 'fastify' {
  interface FastifyRequest {
    leaveUploads: (() => void) | null;
  }
}

/** A request whose body has been read. */
export interface UploadCall {
  readonly context: ServerContext;
  readonly recogniser: Recogniser;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly startedMs: number;
  /** Aborted when the client disconnects; the owner may abort it too. */
  readonly aborter: AbortController;
}

export const maxBytesOf = ({ config }: ServerContext): number => Math.floor(config.maxUploadMb * 1024 * 1024);

/** @throws ServerError UNAUTHORIZED */
export function checkCaller({ config, keyring }: ServerContext, request: FastifyRequest): Grant {
  checkOrigin(config.allowedOrigins, request.raw);
  return whoAsks(keyring, request.raw, urlOf(request));
}

/** Takes a place of the key's and one of the server's. Call the result to free both; repeated calls have no effect. */
function enterAsBoth(grant: Grant, uploads: UploadPlaces): () => void {
  const leave = uploads.enter();
  try {
    const leaveKey = grant.enterUpload();
    let inside = true;
    return () => {
      leave();
      if (inside) leaveKey();
      inside = false;
    };
  } catch (error) {
    leave();
    throw error;
  }
}

/** Adds POST routes for files in a separate scope. */
export function uploadScope(scope: FastifyInstance, context: ServerContext) {
  const maxBytes = maxBytesOf(context);
  acceptUploads(scope, maxBytes);
  scope.decorateRequest('leaveUploads', null);
  return (url: string, answer: (call: UploadCall) => Promise<unknown>): void => {
    scope.route({
      method: 'POST',
      url,
      bodyLimit: bodyLimitOf(maxBytes),
      // Checked before the body is read, so that a refused client need not send it.
      onRequest: async (request) => {
        const grant = checkCaller(context, request);
        const { uploads } = requireReady(context);
        grant.countRequest();
        request.leaveUploads = enterAsBoth(grant, uploads);
      },
      onResponse: async (request) => request.leaveUploads?.(),
      onRequestAbort: async (request) => request.leaveUploads?.(),
      handler: async (request, reply) => {
        const recogniser = requireReady(context);
        const startedMs = performance.now();
        const aborter = abortedWith(reply);
        try {
          return await answer({ context, recogniser, request, reply, startedMs, aborter });
        } finally {
          // A client that disconnects after its last byte gets no response, but did not abort the upload.
          request.leaveUploads?.();
        }
      },
    });
  };
}

/** Uses the response's close event: the request closes as soon as its body is read. */
function abortedWith(reply: FastifyReply): AbortController {
  const aborter = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) aborter.abort(new ServerError('BAD_REQUEST', 'the client disconnected'));
  });
  return aborter;
}
