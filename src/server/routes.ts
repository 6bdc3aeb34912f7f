/** The HTTP routes: service card, health, status, metrics, uploads, pages. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fastifyStatic, { type SetHeadersResponse } from '@fastify/static';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { type ErrorCode, ServerError } from '../errors.js';
import { LIMITS } from '../limits.js';
import { inPackage } from '../paths.js';
import { dialectAt, dialectsOf, refusalAt } from '../protocol/dialects/index.js';
import { adminOnly, isAdmin } from './admin.js';
import { admit, pathOf, retryAfter, urlOf } from './admission.js';
import { isFree } from './claims.js';
import { isReady, type ServerContext } from './context.js';
import { deepgramRoutes } from './deepgram-routes.js';
import { CARD_LINKS, docsRoutes } from './docs-routes.js';
import { pageHeaders, setHeaders } from './headers.js';
import { openAiRoutes } from './openai-routes.js';
import { allowOrigins } from './origins.js';
import { createPrometheus } from './prometheus.js';
import { extendedHealth, health, liveStatus, serviceCard } from './status.js';
import { createHttpServer, readTls } from './tls.js';
import { tokenRoute } from './token-route.js';
import { uploadRoutes } from './uploads.js';

/** Fastify's own errors as codes of the error table. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'UPLOAD_TOO_LARGE',
  FST_REQ_FILE_TOO_LARGE: 'UPLOAD_TOO_LARGE',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'UPLOAD_MISSING',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'BAD_REQUEST',
};

function asServerError(error: FastifyError): ServerError {
  if (error instanceof ServerError) return error;
  const code = FASTIFY_CODES[error.code];
  if (code !== undefined) return new ServerError(code);
  const clientsFault = (error.statusCode ?? 500) < 500;
  return new ServerError(
    clientsFault ? 'BAD_REQUEST' : 'INTERNAL',
    clientsFault ? error.message : undefined,
    { cause: error },
  );
}

/** @throws ServerError CONFIG_INVALID when a certificate cannot be used */
export async function createRoutes(context: ServerContext): Promise<FastifyInstance> {
  const refuse = (thrown: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const error = asServerError(thrown);
    if (error.code === 'INTERNAL') context.log.error({ err: thrown }, 'a request failed');
    context.metrics.countError(error.code);
    const after = retryAfter(error.code);
    if (after !== undefined) reply.header('retry-after', String(after));
    const refusal = refusalAt(pathOf(request), context.config.dialects, error.code, error.detail);
    return reply
      .code(refusal.status ?? error.entry.httpStatus)
      .headers(refusal.headers)
      .send(refusal.body);
  };
  const tls = readTls(context.config);
  const app: FastifyInstance = Fastify({
    logger: false,
    forceCloseConnections: true,
    serverFactory: (onRequest) => createHttpServer(tls, onRequest),
    frameworkErrors: refuse, // an address that cannot be parsed gets no further
  });
  app.server.maxConnections = LIMITS.maxHttpConnections;
  app.setErrorHandler(refuse);
  app.setNotFoundHandler((request) => {
    throw new ServerError('NOT_FOUND', request.url.slice(0, 200));
  });
  setHeaders(app);

  await allowOrigins(app, context.config.allowedOrigins);
  const methods = methodsByUrl(app);
  app.get('/', async (request, reply) => {
    reply.header('link', CARD_LINKS);
    // Relative links, since a proxy may serve this below a sub-path.
    return request.headers.accept?.includes('text/html')
      ? reply.redirect('static/index.html')
      : serviceCard(context);
  });
  app.get('/compare', async (request, reply) =>
    reply.redirect(`static/compare.html${urlOf(request).search}`),
  );
  // Browsers request it for responses that name no icon, such as JSON.
  app.get('/favicon.ico', async (_request, reply) => reply.redirect('static/icon.svg'));
  const ready = () => (isReady(context) ? 200 : 503);
  app.get('/health', async (_request, reply) => reply.code(ready()).send(health(context)));
  app.get('/health/ready', async (_request, reply) => reply.code(ready()).send(health(context)));
  app.get('/health/live', async () => health(context));
  const forAdmins = { onRequest: adminOnly(context.config) };
  app.get('/health/extended', forAdmins, async () => extendedHealth(context));
  // A browser cannot see why its WebSocket was refused; a plain HTTP request gets the reason, with Retry-After.
  for (const path of dialectsOf(context.config.dialects).flatMap(({ paths }) => paths)) {
    if (path === '/') continue; // that is the service card
    app.get(path, async (request, reply) => {
      const url = urlOf(request);
      const { resumes } = dialectAt(path, context.config.dialects) ?? {};
      const admitted = admit(context, request.raw, url, resumes);
      const resuming = resumes === true && url.searchParams.has('resume'); // a resuming client may hold the name itself
      if (!resuming && !(await isFree(context, admitted, url))) throw new ServerError('CLIENT_ID_IN_USE');
      reply.header('upgrade', 'websocket');
      throw new ServerError('UPGRADE_REQUIRED');
    });
  }
  app.get('/ws/status', async (request) => liveStatus(context, isAdmin(context.config, request)));
  const prometheus = createPrometheus(context);
  app.get('/metrics', forAdmins, async (_request, reply) =>
    reply.type(prometheus.contentType).send(await prometheus.metrics()),
  );
  await docsRoutes(app, context);
  tokenRoute(app, context);
  await pages(app, context);
  await app.register((scope) => uploadRoutes(scope, context));
  if (context.config.dialects.includes('openai')) {
    await app.register((scope) => openAiRoutes(scope, context));
  }
  if (context.config.dialects.includes('deepgram')) {
    await app.register((scope) => deepgramRoutes(scope, context));
  }
  refuseOtherMethods(app, methods);
  return app;
}

/** The methods of each address, filled as routes are added from here on. */
function methodsByUrl(app: FastifyInstance): Map<string, Set<string>> {
  const byUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = byUrl.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    byUrl.set(url, methods);
  });
  return byUrl;
}

/** Answers 405 with Allow to a wrong method, and OPTIONS with Allow alone. */
function refuseOtherMethods(app: FastifyInstance, byUrl: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, taken] of [...byUrl]) {
    const allow = [...taken, 'OPTIONS'].join(', ');
    app.route({
      method: app.supportedMethods.filter((method) => !taken.has(method)),
      url,
      // Before the body is read, whose type may have no parser.
      onRequest: async (request, reply) => {
        reply.header('allow', allow);
        if (request.method === 'OPTIONS') return reply.code(204).header('content-length', '0').send(); // without it Safari waits for a body
        throw new ServerError('METHOD_NOT_ALLOWED', request.method);
      },
      handler: () => {}, // never reached
    });
  }
}

/** Browser libraries and the pages' font, served from where npm installed them: package and folder in it. */
const VENDOR = {
  mermaid: ['@mermaid-js/tiny', 'dist'],
  uplot: ['uplot', 'dist'],
  'source-sans': ['@fontsource-variable/source-sans-3', 'files'],
} as const;

const withPageHeaders = (areExamples: boolean) => (reply: SetHeadersResponse, path: string) => {
  for (const [name, value] of Object.entries(pageHeaders(path, areExamples))) reply.setHeader(name, value);
};

async function pages(app: FastifyInstance, context: ServerContext): Promise<void> {
  const shared = {
    cacheControl: !context.config.devMode,
    maxAge: '5m',
    decorateReply: false,
    setHeaders: withPageHeaders(false),
  } as const;
  await app.register(fastifyStatic, {
    ...shared,
    root: inPackage('static'),
    prefix: '/static/',
    index: ['index.html'],
  });
  await app.register(fastifyStatic, {
    ...shared,
    setHeaders: withPageHeaders(true),
    root: inPackage('examples'),
    prefix: '/examples/',
    list: true,
    index: false,
  });
  const require = createRequire(import.meta.url);
  for (const [name, [library, part]] of Object.entries(VENDOR)) {
    let folder: string;
    try {
      folder = dirname(require.resolve(`${library}/package.json`));
    } catch {
      continue;
    }
    await app.register(fastifyStatic, { ...shared, root: join(folder, part), prefix: `/vendor/${name}/` });
  }
}
