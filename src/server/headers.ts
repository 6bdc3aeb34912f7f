/** Security headers: a page may do only what it needs, and other sites cannot use it. */
import type { FastifyInstance } from 'fastify';

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  // A page's URL may contain its token.
  'referrer-policy': 'same-origin',
  'permissions-policy': 'microphone=(self), camera=(), geolocation=(), payment=(), usb=()',
} as const;

/** For pages: they load from and talk to this server only, and other origins cannot frame or control them. */
const OF_PAGES = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** A page may load only from this server and talk only to it. Browsers since 2022 include WebSockets in 'self'. */
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob: data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'self'",
].join('; ');

/** Examples are single files, to be copied, so their scripts are inline. */
const EXAMPLE_POLICY = PAGE_POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");

/** This page sends the same audio to two servers named by its user, and asks by HTTP why one refused. */
const COMPARE_PAGE = /[/\\]compare\.html$/;
const COMPARE_POLICY = PAGE_POLICY.replace("connect-src 'self'", "connect-src 'self' ws: wss: http: https:");

/**
 * Headers of a file.
 * @param path of the file
 */
export function pageHeaders(path: string, isExample = false): Record<string, string> {
  if (!path.endsWith('.html')) return {};
  const ofPage = COMPARE_PAGE.test(path) ? COMPARE_POLICY : PAGE_POLICY;
  return { ...OF_PAGES, 'content-security-policy': isExample ? EXAMPLE_POLICY : ofPage };
}

/** Set before the route runs, so that streamed responses have them too. */
export function setHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(EVERYWHERE);
  });
  app.addHook('onSend', async (_request, reply) => {
    // Data is not a page: content from users in it must not run when it is opened in a browser.
    if (String(reply.getHeader('content-type') ?? '').startsWith('application/json')) {
      reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    }
  });
}
