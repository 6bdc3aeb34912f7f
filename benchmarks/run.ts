/** `npm run bench`: runs every *.bench.ts in a separate process, after a line about the machine. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inPackage, packageVersion } from '../src/paths.js';

const folder = fileURLToPath(new URL('.', import.meta.url));
const filters = process.argv.slice(2);
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.bench.js') && filters.every((filter) => file.includes(filter)))
  .sort();

const versionOf = (name: string): string => {
  const { version } = JSON.parse(readFileSync(inPackage('node_modules', name, 'package.json'), 'utf8')) as {
    version: string;
  };
  return `${name} ${version}`;
};
const [cpu] = cpus();
console.log(
  [
    `rnnt-server ${packageVersion}, Node ${process.version}, ${['ws', 'piscina', 'xstate', 'tinybench'].map(versionOf).join(', ')}`,
    `${cpu?.model ?? 'unknown CPU'} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
    `${new Date().toISOString()}, load average ${loadavg()[0]?.toFixed(2)} before the run (other work on the machine distorts the figures)`,
  ].join('\n'),
);
for (const file of files) {
  console.log(`\n== ${file.replace('.js', '.ts')}`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(folder, file)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
