/** `/docs/`: the documents as pages and as Markdown; `/llms.txt`; the descriptions of both APIs. */
import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { apiPage } from '../docs/api-page.js';
import { DocsLibrary } from '../docs/library.js';
import { socketPage } from '../docs/socket-page.js';
import { ServerError } from '../errors.js';
import { inPackage } from '../paths.js';
import { asyncApi } from '../protocol/asyncapi.js';
import type { ServerContext } from './context.js';
import { pageHeaders } from './headers.js';
import { openApi } from './openapi.js';

const SUMMARY = {
  title: 'rnnt-server',
  text:
    'A real-time speech-recognition server for Node.js: audio over a WebSocket, words back while people talk, many ' +
    'streams in one batch on ONNX Runtime. Clients of Deepgram, OpenAI, AssemblyAI, Vosk and Wyoming work unchanged.',
} as const;

const MAX_AGE_SECONDS = 300;

/** Links of the service card to the descriptions, with the relations of RFC 8631. */
export const CARD_LINKS = [
  '<docs/openapi.json>; rel="service-desc"; type="application/json"',
  '<asyncapi.json>; rel="service-desc"; type="application/json"',
  '<docs/>; rel="service-doc"; type="text/html"',
  '<llms.txt>; rel="describedby"; type="text/plain"',
].join(', ');

export async function docsRoutes(app: FastifyInstance, { config }: ServerContext): Promise<void> {
  const library = new DocsLibrary([apiPage(() => openApi()), socketPage], { keeps: !config.devMode });
  const cached = (reply: FastifyReply): FastifyReply =>
    config.devMode ? reply : reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`);

  const asMarkdown = (reply: FastifyReply, name: string) =>
    cached(reply).type('text/markdown; charset=utf-8').send(library.markdown(name));
  const asPage = (reply: FastifyReply, name: string) =>
    cached(reply)
      .headers(pageHeaders('.html'))
      .header('link', `<${name}.md>; rel="alternate"; type="text/markdown", <../llms.txt>; rel="describedby"`)
      .type('text/html; charset=utf-8')
      .send(library.html(name));

  // All addresses are relative, since a proxy may serve this below a sub-path.
  app.get('/docs', async (_request, reply) => reply.redirect('docs/'));
  app.get('/docs/', async (_request, reply) => asPage(reply, 'index'));
  app.get<{ Params: { name: string } }>('/docs/:name', async ({ params, headers }, reply) => {
    const isMarkdown = params.name.endsWith('.md');
    const asked = isMarkdown ? params.name.slice(0, -'.md'.length) : params.name;
    const name = library.find(asked);
    if (name === undefined) throw new ServerError('NOT_FOUND', `/docs/${params.name}`.slice(0, 200));
    if (name !== asked) return reply.redirect(isMarkdown ? `${name}.md` : name);
    // Language-model tools ask for Markdown; browsers never do.
    const isWanted = headers.accept?.includes('text/markdown') ?? false;
    reply.header('vary', [reply.getHeader('vary') ?? [], 'accept'].flat().join(', '));
    return isMarkdown || isWanted ? asMarkdown(reply, name) : asPage(reply, name);
  });
  app.get('/llms.txt', async (_request, reply) =>
    cached(reply).type('text/plain; charset=utf-8').send(library.llmsTxt(SUMMARY)),
  );
  app.get('/docs/openapi.json', async () => openApi());
  app.get('/asyncapi.json', async (_request, reply) => cached(reply).send(asyncApi()));
  // The first place where tools look.
  app.get('/openapi.json', async (_request, reply) => reply.redirect('docs/openapi.json'));

  const images = inPackage('docs', 'images');
  if (!existsSync(images)) return; // an image of the server may have no documents
  await app.register(fastifyStatic, {
    root: images,
    prefix: '/docs/images/',
    index: false,
    decorateReply: false,
    cacheControl: !config.devMode,
    maxAge: MAX_AGE_SECONDS * 1000,
  });
}
