/**
 * TLS without a proxy, for SDKs that refuse `ws://` and for pages, which may use the microphone only over https. The
 * files are reloaded on SIGHUP, for renewed certificates.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config.js';
import { ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';

type TlsConfig = Pick<Config, 'tlsCert' | 'tlsKey'>;

/** PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * The certificate and its key; null: no TLS.
 * @throws ServerError CONFIG_INVALID
 */
export function readTls({ tlsCert, tlsKey }: TlsConfig): TlsFiles | null {
  if (tlsCert === '' && tlsKey === '') return null;
  if (tlsCert === '' || tlsKey === '') {
    throw new ServerError('CONFIG_INVALID', '--tls-cert and --tls-key must be given together');
  }
  try {
    const files = { cert: readFileSync(tlsCert), key: readFileSync(tlsKey) };
    createSecureContext(files); // throws if they do not match
    return files;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ServerError('CONFIG_INVALID', `--tls-cert, --tls-key: ${why}`, { cause });
  }
}

/** An HTTP server, or an HTTPS server if there is a certificate. */
export function createHttpServer(tls: TlsFiles | null, onRequest: RequestListener): HttpServer {
  const server = tls === null ? createServer(onRequest) : createTlsServer({ ...tls }, onRequest);
  server.requestTimeout = LIMITS.requestTimeoutMs;
  server.keepAliveTimeout = LIMITS.keepAliveMs;
  return server;
}

/**
 * Reloads the certificate; open connections keep the old one.
 * @throws ServerError CONFIG_INVALID
 */
export function reloadTls(server: HttpServer, config: TlsConfig): void {
  const tls = readTls(config);
  if (tls !== null && server instanceof TlsServer) server.setSecureContext({ ...tls });
}
