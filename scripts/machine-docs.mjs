// Writes docs/MACHINES.md from the compiled machines. Run after a build: node scripts/machine-docs.mjs
import { mkdirSync, writeFileSync } from 'node:fs';

const { renderDocs } = await import('../dist/src/inspect/docs.js');
const file = new URL('../docs/MACHINES.md', import.meta.url);
mkdirSync(new URL('.', file), { recursive: true });
writeFileSync(file, renderDocs());
