/** The source files of the repository, for tests of how it is built. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { inPackage } from '../../src/paths.js';

/**
 * Paths of the TypeScript files below these folders, relative to the repository. By names rather than by `Dirent`: what its
 * `parentPath` tells is called otherwise in the first versions of Node 20.
 */
export const sourcesIn = (...folders: string[]): string[] =>
  folders.flatMap((folder) =>
    readdirSync(inPackage(folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.c?ts$/.test(path))
      .map((path) => join(folder, path)),
  );
