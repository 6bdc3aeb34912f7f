// `npm run package`: makes the tarball that npm publishes. Scripts are off (.npmrc), so `npm pack` alone would pack the
// current dist/. This rebuilds it, without tests and without files whose source no longer exists.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, install, root } from './prepare.mjs';

install({ tools: false });
rmSync(join(root, 'dist'), { recursive: true, force: true });
build('server');
build('client');
const { status } = spawnSync('npm', ['pack', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
process.exitCode = status ?? 1;
