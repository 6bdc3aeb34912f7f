// `npm run dev`: runs the compiler in watch mode and restarts the server after each build.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepareServer, root } from './prepare.mjs';

prepareServer();
const env = { ...process.env, DEV_MODE: process.env.DEV_MODE ?? 'true' };
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const children = [
  spawn(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'], {
    cwd: root,
    stdio: 'inherit',
  }),
  spawn(
    process.execPath,
    [
      '--watch',
      '--watch-preserve-output',
      join(root, 'scripts', 'bin.mjs'),
      'start',
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: 'inherit', env },
  ),
];
const stop = () => {
  for (const child of children) child.kill('SIGTERM');
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
