import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi, uploadResultSchema } from '../../src/server/openapi.js';
import { startScriptedServer } from '../helpers/scripted-server.js';

const paths = Object.entries(openApi().paths);

test('every path of the description is a route of the server', async () => {
  const { server, stop } = await startScriptedServer();
  for (const [url, methods] of paths)
    for (const method of Object.keys(methods))
      assert.ok(server.app.hasRoute({ url, method: method.toUpperCase() as 'GET' }), `${method} ${url}`);
  await stop();
});

test('every answer is described, and the whole is plain JSON', () => {
  for (const [url, methods] of paths)
    for (const operation of Object.values(methods) as {
      responses: Record<string, { description: string }>;
    }[])
      for (const response of Object.values(operation.responses))
        assert.ok(response.description.length > 3, url);
  assert.deepEqual(JSON.parse(JSON.stringify(openApi())), openApi());
});

test('the upload answer has the fields that are promised', () => {
  assert.deepEqual(Object.keys(uploadResultSchema.shape), [
    'text', 'confidence', 'words', 'segments', 'language', 'model', 'processing_time_ms', 'audio_duration_s', 'real_time_factor', 'warnings',
  ]); // biome-ignore format: a list
});
