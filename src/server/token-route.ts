/**
 * `POST /auth/token`: issues a short-lived token for a client that must not hold a key. Called by the application's
 * server.
 */
import type { FastifyInstance } from 'fastify';
import { tokenRequest } from '../auth/client-token.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { urlOf } from './admission.js';
import type { ServerContext } from './context.js';
import { keysIn } from './keys.js';

export function tokenRoute(app: FastifyInstance, { keyring }: ServerContext): void {
  app.route({
    method: 'POST',
    url: '/auth/token',
    bodyLimit: LIMITS.maxTokenRequestBytes,
    // Before the body is read.
    onRequest: async (request) => {
      if (!keyring.isOpen) keyring.who(keysIn(request.headers, urlOf(request)));
    },
    handler: async (request, reply) => {
      const wanted = tokenRequest.safeParse(request.body ?? {});
      if (!wanted.success) {
        const why = wanted.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
        throw new ServerError('BAD_REQUEST', why.join('; ').slice(0, 300));
      }
      const { text, name, expiresAtMs } = keyring.issue(keysIn(request.headers, urlOf(request)), wanted.data);
      return reply.header('cache-control', 'no-store').send({
        token: text,
        key: name,
        expires_at: new Date(expiresAtMs).toISOString(),
        expires_in_s: wanted.data.ttl_s,
      });
    },
  });
}
