/** What every answer tells a browser, so that a page can do no more than it must and nobody else can use it. */
import type { FastifyInstance } from 'fastify';

const EVERYWHERE = {
  'x-content-type-options': 'nosniff',
  // The address of a page may hold its token.
  'referrer-policy': 'same-origin',
  'permissions-policy': 'microphone=(self), camera=(), geolocation=(), payment=(), usb=()',
} as const;

/** Of pages: what they load and ask is this server's; frames and openers of other origins have no hold on them. */
const OF_PAGES = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** A page may load only what this server serves, and talk to this server only. Browsers since 2022 count its sockets in. */
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

/** Examples are one file each, to be copied: their scripts stand in the page. */
const EXAMPLE_POLICY = PAGE_POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");

/** One page sends the same audio to two servers, which its user names. The reason of a refusal is asked by HTTP. */
const COMPARE_PAGE = /[/\\]compare\.html$/;
const COMPARE_POLICY = PAGE_POLICY.replace("connect-src 'self'", "connect-src 'self' ws: wss: http: https:");

/** Of a file: @param path where it lies */
export function pageHeaders(path: string, isExample = false): Record<string, string> {
  if (!path.endsWith('.html')) return {};
  const ofPage = COMPARE_PAGE.test(path) ? COMPARE_POLICY : PAGE_POLICY;
  return { ...OF_PAGES, 'content-security-policy': isExample ? EXAMPLE_POLICY : ofPage };
}

/** Set before a route has its turn, so that answers that are written piece by piece have them too. */
export function setHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(EVERYWHERE);
  });
  app.addHook('onSend', async (_request, reply) => {
    // Data is no page: whoever opens it in a browser must not run what somebody wrote into it.
    if (String(reply.getHeader('content-type') ?? '').startsWith('application/json')) {
      reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    }
  });
}
