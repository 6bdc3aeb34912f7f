/**
 * Routes for operators. They may require their own key (`--admin-token`), or be served on a second port
 * (`--admin-port`), which then also serves the pages, since the inspector is one of them.
 */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sha256 } from '../auth/key-file.js';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { urlOf } from './admission.js';
import { keysIn } from './keys.js';
import { createHttpServer, readTls } from './tls.js';

export const ADMIN_ROUTES = ['/metrics', '/health/extended', '/ws/inspect'] as const;

type AdminConfig = Pick<Config, 'adminToken' | 'adminPort'>;

/**
 * On another port the routes do not exist for anyone.
 * @throws ServerError NOT_FOUND, UNAUTHORIZED
 */
export function checkAdmin(config: AdminConfig, request: IncomingMessage, url: URL): void {
  if (config.adminPort !== 0 && request.socket.localPort !== config.adminPort) {
    throw new ServerError('NOT_FOUND');
  }
  if (config.adminToken === '') return;
  const right = sha256(config.adminToken);
  const offered = keysIn(request.headers, url).slice(0, LIMITS.maxKeysOffered);
  if (!offered.some((key) => timingSafeEqual(sha256(key), right))) throw new ServerError('UNAUTHORIZED');
}

/** For HTTP routes, before anything else. */
export const adminOnly = (config: AdminConfig) => async (request: FastifyRequest) =>
  checkAdmin(config, request.raw, urlOf(request));

/** Whether this request may use the admin routes. */
export function isAdmin(config: AdminConfig, request: FastifyRequest): boolean {
  try {
    checkAdmin(config, request.raw, urlOf(request));
    return true;
  } catch {
    return false;
  }
}

/** The server of the second port, if there is one. The same routes answer its requests, and it closes with them. */
export function createAdminServer(app: FastifyInstance, config: Config): Server | null {
  if (config.adminPort === 0) return null;
  const server = createHttpServer(readTls(config), (request, response) => app.routing(request, response));
  server.maxConnections = LIMITS.maxHttpConnections;
  app.addHook('onClose', async () => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

/** @throws the system's error, such as EADDRINUSE */
export async function listenForAdmins(server: Server, { adminPort, adminHost }: Config): Promise<void> {
  server.listen(adminPort, adminHost);
  await once(server, 'listening'); // rejects if an error comes first
}
