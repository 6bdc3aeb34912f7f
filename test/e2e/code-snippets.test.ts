/**
 * Runs all the code that the transcriber page shows for its settings, word for word, with the real server: what it says of
 * the native clients, of curl and of each vendor's SDK must work as it stands.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { snippets } from '#static/demo/snippets.js';
import { inPackage } from '../../src/paths.js';
import { makeCertificate } from '../helpers/certificate.js';
import { sampleWavPath } from '../helpers/fixtures.js';
import { type LiveServer, startLiveServer } from '../helpers/live-server.js';
import { lacksModules, python } from '../helpers/python.js';
import { type Finished, runProgram } from '../helpers/run-program.js';
import { sdksProblem } from '../helpers/sdks.js';

const certificate = makeCertificate();
const noSdks = sdksProblem();

/** What a snippet imports, of which a machine may have none. */
function missing(id: string, code: string): string | false {
  if (id === 'curl') return spawnSync('curl', ['--version']).status !== 0 && 'curl is not installed';
  if (!isPython(code)) {
    if (id === 'assemblyai' && certificate === null) return 'openssl is not installed';
    return id !== 'javascript' && noSdks;
  }
  // The client needs Python 3.11, which tomllib came with.
  return lacksModules(id === 'python' ? ['websockets.asyncio.client', 'tomllib'] : [id]);
}

const isPython = (code: string): boolean => /^from \w+(\.\w+)* import /m.test(code);

/** `audio` and `samples` are the reader's own. */
const GIVEN_JS = `import { readFileSync as read } from 'node:fs';
const samples = new Int16Array(read('speech.wav').buffer.slice(44));
const audio = new Uint8Array(samples.buffer);
`;
const GIVEN_PYTHON = 'audio = open("speech.wav", "rb").read()[44:]\n';

const folder = mkdtempSync(join(tmpdir(), 'rnnt-code-'));
let plain: LiveServer;
let secure: LiveServer;
/** The end of what an upload hears. */
let lastWords: string;

before(async () => {
  copyFileSync(sampleWavPath, join(folder, 'speech.wav'));
  if (!noSdks)
    symlinkSync(inPackage('test', 'sdks', 'node_modules'), join(folder, 'node_modules'), 'junction');
  plain = await startLiveServer({ authToken: 'secret' });
  if (certificate !== null) secure = await startLiveServer({ authToken: 'secret', ...certificate });
  const headers = { authorization: 'Bearer secret' };
  const body = readFileSync(sampleWavPath);
  const upload = await fetch(`${plain.http}/transcribe/file`, { method: 'POST', headers, body });
  lastWords = ((await upload.json()) as { text: string }).text.split(' ').slice(-3).join(' ');
  assert.ok(lastWords.length > 8, lastWords);
});
after(async () => {
  await plain?.stop();
  await secure?.stop();
  certificate?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** The code for a server at an address, with the token in its place. */
function codeOf(origin: string, id: string, title: string): string {
  const config = { silence_duration: 0.8, hotwords: [{ phrase: 'Kubernetes', boost: 2 }] };
  const snippet = snippets({ origin, guarded: true, config }).find((it) => it.id === id);
  const code = snippet?.blocks.find((it) => it.title === title)?.code;
  assert.match(code ?? '', /YOUR_TOKEN/);
  return (code ?? '').replaceAll('YOUR_TOKEN', 'secret');
}

function run(id: string, title: string): Promise<Finished> {
  const code = codeOf(plain.http, id, title);
  if (id === 'curl') return runProgram('bash', ['-euo', 'pipefail', '-c', code], {}, folder);
  if (isPython(code)) {
    const env = { PYTHONPATH: inPackage('clients', 'python'), PYTHONDONTWRITEBYTECODE: '1' };
    return runProgram(python, ['-c', GIVEN_PYTHON + code], env, folder);
  }
  // This SDK wants wss, and can be given no certificate to trust.
  const needsTls = id === 'assemblyai';
  const js = needsTls ? codeOf(`https://localhost:${secure.server.port}`, id, title) : code;
  const client = `${plain.http}/static/websocket-client.js`;
  const program = join(folder, `${id}.mjs`);
  // Node imports no addresses: the file that the server has there.
  const imported = js.replace(client, pathToFileURL(inPackage('static', 'websocket-client.js')).href);
  writeFileSync(program, GIVEN_JS + imported);
  const env: Record<string, string> = needsTls ? { NODE_TLS_REJECT_UNAUTHORIZED: '0' } : {};
  return runProgram(process.execPath, [program], env, folder);
}

for (const { id, name, blocks } of snippets({ origin: 'http://localhost', guarded: false, config: {} })) {
  for (const { title, code } of blocks) {
    test(
      `what the page shows runs: ${name}, ${title}`,
      { skip: missing(id, code), timeout: 60_000 },
      async () => {
        const { code: exitCode, stdout, stderr } = await run(id, title);
        assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
        assert.ok(stdout.includes(lastWords), `${lastWords}: ${stdout}\n${stderr}`);
      },
    );
  }
}
