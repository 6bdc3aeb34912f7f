/** Where the package's own files are, both in dist/ and when installed under node_modules. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(from: string): string {
  let folder = from;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${from}`);
    folder = parent;
  }
  return folder;
}

export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)));
export const inPackage = (...parts: string[]): string => join(packageRoot, ...parts);

/** The compiled worker of the given name, as a file: URL. */
export const workerUrl = (name: string): string => new URL(`../workers/${name}.js`, import.meta.url).href;

const { version } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as { version: string };
export const packageVersion = version;
