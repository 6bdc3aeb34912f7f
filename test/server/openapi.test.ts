import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import * as answers from '../../src/server/answers.js';
import { openApi } from '../../src/server/openapi.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type ScriptedServer, startScriptedServer } from '../helpers/scripted-server.js';

const description = openApi();
const paths = Object.entries(description.paths);

let running: ScriptedServer;
before(async () => {
  running = await startScriptedServer();
});
after(() => running.stop());

test('every path of the description is a route of the server', () => {
  for (const [url, methods] of paths)
    for (const method of Object.keys(methods))
      assert.ok(
        running.server.app.hasRoute({ url, method: method.toUpperCase() as 'GET' }),
        `${method} ${url}`,
      );
});

test('every answer is described, and the whole is plain JSON', () => {
  for (const [url, methods] of paths)
    for (const operation of Object.values(methods) as {
      responses: Record<string, { description: string }>;
    }[])
      for (const response of Object.values(operation.responses))
        assert.ok(response.description.length > 3, url);
  assert.deepEqual(JSON.parse(JSON.stringify(description)), description);
});

test('no schema is empty, and every reference has its target', () => {
  const { schemas } = description.components;
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  assert.ok(references.length > 10);
  for (const [, name] of references) assert.ok(name !== undefined && name in schemas, name);
  for (const [name, schema] of Object.entries(schemas)) {
    const { properties, oneOf } = schema as { properties?: object; oneOf?: object[] };
    assert.ok(Object.keys(properties ?? oneOf ?? {}).length > 3, name);
  }
});

/** Fields of an answer that its schema does not name; what a record or an unknown holds is free. */
function unnamed(schema: z.core.$ZodType, value: unknown, at = ''): string[] {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional)
    return value === null || value === undefined ? [] : unnamed(schema.unwrap(), value, at);
  if (schema instanceof z.ZodArray)
    return (value as unknown[]).flatMap((item, i) => unnamed(schema.element, item, `${at}[${i}]`));
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(value as object).flatMap(([key, inner]) => {
    const field = schema.shape[key] as z.core.$ZodType | undefined;
    return field === undefined ? [`${at}.${key}`] : unnamed(field, inner, `${at}.${key}`);
  });
}

const ANSWERS: Record<string, z.ZodType> = {
  '/': answers.serviceCardAnswer,
  '/health': answers.healthAnswer,
  '/health/live': answers.healthAnswer,
  '/health/ready': answers.healthAnswer,
  '/health/extended': answers.extendedHealthAnswer,
  '/ws/status': answers.liveStatusAnswer,
  '/ws/transcribe': answers.errorAnswer,
  '/no/such/address': answers.errorAnswer,
};
for (const [path, schema] of Object.entries(ANSWERS)) {
  test(`GET ${path} answers what its schema says, and nothing that it leaves out`, async () => {
    const answer: unknown = await (await fetch(`${running.http}${path}`)).json();
    assert.deepEqual(unnamed(schema, schema.parse(answer)), []);
  });
}

const upload = async (accept: string) =>
  fetch(`${running.http}/transcribe/file`, {
    method: 'POST',
    body: await readFile(sampleWavPath),
    headers: { accept },
  });

test('an upload answers what its schema says, and nothing that it leaves out', async () => {
  const answer: unknown = await (await upload('application/json')).json();
  assert.deepEqual(unnamed(answers.uploadAnswer, answers.uploadAnswer.parse(answer)), []);
});

test('every line of an upload with progress is one of those described', async () => {
  const lines = (await (await upload('application/x-ndjson')).text()).trim().split('\n');
  const types = lines.map((line) => answers.uploadProgress.parse(JSON.parse(line)).type);
  assert.equal(types.at(-1), 'result');
});

test('the server of the description lies beside it, below any sub-path', () => {
  const roots = description.servers.map(({ url }) => new URL(url, 'https://h/speech/docs/openapi.json').href);
  assert.deepEqual(roots, ['https://h/speech/']);
});

test('the description is made once, however often it is asked for', () => {
  assert.equal(openApi(), description);
});
