// `npm run docs`: writes the generated parts of the documents anew, and the list of third-party software.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
const { documents, readDocument, withFreshBlocks } = await import('../dist/test/docs/blocks.js');
const { renderNotices } = await import('./notices.mjs');

writeFileSync(join(root, 'THIRD_PARTY_NOTICES.md'), renderNotices(root));
for (const path of documents()) {
  const before = readDocument(path);
  const after = withFreshBlocks(before);
  if (after === before) continue;
  writeFileSync(join(root, path), after);
  process.stdout.write(`${path} written\n`);
}
