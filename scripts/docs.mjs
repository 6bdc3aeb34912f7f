// `npm run docs`: rewrites the generated parts of the documents, the AsyncAPI description, and the list of third-party
// software.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
const { documents, readDocument, withFreshBlocks } = await import('../dist/test/docs/blocks.js');
const { asyncApi } = await import('../dist/src/protocol/asyncapi.js');
const { renderNotices } = await import('./notices.mjs');

writeFileSync(join(root, 'THIRD_PARTY_NOTICES.md'), renderNotices(root));
writeFileSync(join(root, 'docs/asyncapi.json'), `${JSON.stringify(asyncApi(), null, 2)}\n`);
for (const path of documents()) {
  const before = readDocument(path);
  const after = withFreshBlocks(before);
  if (after === before) continue;
  writeFileSync(join(root, path), after);
  process.stdout.write(`${path} written\n`);
}
