/** `/docs/`: the documents as pages and as Markdown; `/llms.txt`; the descriptions of both APIs. */
import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { apiPage } from '../docs/api-page.js';
import { docPages, pageNamed } from '../docs/pages.js';
import { socketPage } from '../docs/socket-page.js';
import { ServerError } from '../errors.js';
import { inPackage } from '../paths.js';
import { asyncApi } from '../protocol/asyncapi.js';
import type { ServerContext } from './context.js';
import { DocsThread } from './docs-thread.js';
import { pageHeaders } from './headers.js';
import { openApi } from './openapi.js';

const MAX_AGE_SECONDS = 300;

/** Links of the service card to the descriptions, with the relations of RFC 8631. */
export const CARD_LINKS = [
  '<docs/openapi.json>; rel="service-desc"; type="application/json"',
  '<asyncapi.json>; rel="service-desc"; type="application/json"',
  '<docs/>; rel="service-doc"; type="text/html"',
  '<llms.txt>; rel="describedby"; type="text/plain"',
].join(', ');

export async function docsRoutes(app: FastifyInstance, { config, log }: ServerContext): Promise<void> {
  // Made now, before there are streams that would have to wait for it.
  const [api, socket] = [openApi(), asyncApi()];
  const [apiText, socketText] = [JSON.stringify(api), JSON.stringify(socket)];
  const listed = docPages([apiPage(() => api), socketPage]);
  const thread = new DocsThread({ api }, { keeps: !config.devMode, log });
  app.addHook('onClose', () => thread.close());
  const cached = (reply: FastifyReply): FastifyReply =>
    config.devMode ? reply : reply.header('cache-control', `public, max-age=${MAX_AGE_SECONDS}`);

  const asMarkdown = async (reply: FastifyReply, name: string) => {
    const text = await thread.get({ kind: 'markdown', name });
    return cached(reply).type('text/markdown; charset=utf-8').send(text);
  };
  const asPage = async (reply: FastifyReply, name: string) => {
    const html = await thread.get({ kind: 'html', name });
    return cached(reply)
      .headers(pageHeaders('.html'))
      .header('link', `<${name}.md>; rel="alternate"; type="text/markdown", <../llms.txt>; rel="describedby"`)
      .type('text/html; charset=utf-8')
      .send(html);
  };
  const asJson = (reply: FastifyReply, text: string) =>
    reply.type('application/json; charset=utf-8').send(text);

  // All addresses are relative, since a proxy may serve this below a sub-path.
  app.get('/docs', async (_request, reply) => reply.redirect('docs/'));
  app.get('/docs/', async (_request, reply) => asPage(reply, 'index'));
  app.get<{ Params: { name: string } }>('/docs/:name', async ({ params, headers }, reply) => {
    const isMarkdown = params.name.endsWith('.md');
    const asked = isMarkdown ? params.name.slice(0, -'.md'.length) : params.name;
    const name = pageNamed(listed, asked);
    if (name === undefined) throw new ServerError('NOT_FOUND', `/docs/${params.name}`.slice(0, 200));
    if (name !== asked) return reply.redirect(isMarkdown ? `${name}.md` : name);
    // Language-model tools ask for Markdown; browsers never do.
    const isWanted = headers.accept?.includes('text/markdown') ?? false;
    reply.header('vary', [reply.getHeader('vary') ?? [], 'accept'].flat().join(', '));
    return isMarkdown || isWanted ? asMarkdown(reply, name) : asPage(reply, name);
  });
  app.get('/llms.txt', async (_request, reply) => {
    const text = await thread.get({ kind: 'llms' });
    return cached(reply).type('text/plain; charset=utf-8').send(text);
  });
  app.get('/docs/openapi.json', async (_request, reply) => asJson(reply, apiText));
  app.get('/asyncapi.json', async (_request, reply) => asJson(cached(reply), socketText));
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
