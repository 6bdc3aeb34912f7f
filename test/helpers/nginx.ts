/** The nginx configurations of deploy/ in a real nginx on a free port. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPackage } from '../../src/paths.js';
import { endsWithUs } from './children.js';
import { freePort } from './free-port.js';

/** For node:test's `skip`. */
export const skipWithoutNginx =
  spawnSync('nginx', ['-v']).error === undefined ? false : 'nginx is not installed';

/** What is written in place of what stands in the shipped configuration. */
export type Replacement = readonly [shipped: string, tried: string];

/** Bounded by whoever runs it. */
async function untilAnswers(url: string): Promise<void> {
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  );
}

export class TestNginx {
  readonly port: number;
  private readonly name: string;
  private readonly folder: string;
  private readonly master: ChildProcess;

  private constructor(name: string, folder: string, port: number, master: ChildProcess) {
    this.name = name;
    this.folder = folder;
    this.port = port;
    this.master = master;
  }

  /**
   * @param name of the configuration in deploy/
   * @param replacements say which servers stand for those that it names
   * @param healthPath what to ask until it answers
   */
  static async start(
    name: string,
    replacements: readonly Replacement[],
    healthPath: string,
  ): Promise<TestNginx> {
    const folder = await mkdtemp(join(tmpdir(), 'rnnt-nginx-'));
    await chmod(folder, 0o755); // nginx's workers run as somebody else where the test runs as root
    const port = await freePort();
    const file = await configured(name, folder, port, replacements);
    const args = ['-p', folder, '-c', file, '-g', `pid ${folder}/pid; daemon off;`];
    const checked = spawnSync('nginx', ['-t', ...args], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stderr);
    const master = endsWithUs(spawn('nginx', args, { stdio: 'inherit' }));
    const nginx = new TestNginx(name, folder, port, master);
    await untilAnswers(nginx.http + healthPath);
    return nginx;
  }

  get http(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get ws(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** What is in its access log so far. */
  log(): Promise<string> {
    return readFile(join(this.folder, 'access.log'), 'utf8');
  }

  /** Reads its configuration again, with other replacements: as `nginx -s reload`. */
  async reload(replacements: readonly Replacement[]): Promise<void> {
    await configured(this.name, this.folder, this.port, replacements);
    this.master.kill('SIGHUP');
  }

  /** Process ids of those that serve. */
  async workers(): Promise<number[]> {
    const { pid } = this.master;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  }

  async stop(): Promise<void> {
    if (this.master.exitCode === null && this.master.kill()) await once(this.master, 'exit');
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function configured(
  name: string,
  folder: string,
  port: number,
  replacements: readonly Replacement[],
): Promise<string> {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((path) => `${path}_temp_path ${folder}/${path};`)
    .join(' ');
  const all: readonly Replacement[] = [
    ...replacements,
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ['access_log /dev/stdout', `access_log ${folder}/access.log`],
    ['error_log /dev/stderr', `error_log ${folder}/error.log`],
    ['http {', `http { ${paths}`],
  ];
  let config = await readFile(inPackage('deploy', name), 'utf8');
  for (const [shipped, tried] of all) {
    assert.ok(config.includes(shipped), `${name}: ${shipped}`);
    config = config.replace(shipped, tried);
  }
  const file = join(folder, name);
  await writeFile(file, config);
  return file;
}
