#!/usr/bin/env node
// The `rnnt-server` command. In a fresh checkout it is built first; in an installed package it is built already.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

if (!existsSync(fileURLToPath(new URL('../dist/src/cli.js', import.meta.url)))) {
  const { prepareServer } = await import('./prepare.mjs');
  prepareServer();
}
const { runCli } = await import('../dist/src/cli.js');
process.exitCode = await runCli(process.argv.slice(2));
