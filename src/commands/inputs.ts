/** Inputs of `transcribe`: files, folders with everything in them, and `-` for standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';

export interface Input {
  /** Name in messages and results. */
  readonly name: string;
  /** Path of its result below an output folder, without an extension. */
  readonly outName: string;
  /** Found in a folder: skipped if it is not audio. */
  readonly found: boolean;
  read(): Promise<Uint8Array>;
}

/** Maximum folder depth; stops at links that form a circle. */
const MAX_DEPTH = 32;
const STDIN = '-';

/** A missing path fails later, when it is read, so that the other inputs are still transcribed. */
export async function findInputs(
  paths: readonly string[],
  stdin: AsyncIterable<Uint8Array>,
): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const path of paths) {
    if (path === STDIN) inputs.push(standardInput(stdin));
    else if (await isDirectory(path)) {
      for (const file of await filesIn(path)) inputs.push(fileInput(file, relative(path, file), true));
    } else inputs.push(fileInput(path, basename(path), false));
  }
  return withDistinctNames(inputs);
}

/** All files below a folder, sorted by name, without hidden files. */
async function filesIn(folder: string, depth = 0): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.')) continue;
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(path)));
    if (isFolder && depth < MAX_DEPTH) found.push(...(await filesIn(path, depth + 1)));
    else if (!isFolder) found.push(path);
  }
  return found;
}

const isDirectory = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const fileInput = (path: string, outName: string, found: boolean): Input => ({
  name: path,
  outName,
  found,
  read: () => readFile(path),
});

const standardInput = (stdin: AsyncIterable<Uint8Array>): Input => ({
  name: STDIN,
  outName: 'stdin',
  found: false,
  async read() {
    const parts: Uint8Array[] = [];
    for await (const part of stdin) parts.push(part);
    return Buffer.concat(parts);
  },
});

/**
 * Output names: `talk` for `talk.mp3`. When two would clash, such as `talk.mp3` and `talk.wav`, the second is
 * `talk.wav-2`.
 */
function withDistinctNames(inputs: readonly Input[]): Input[] {
  const taken = new Set<string>();
  return inputs.map((input) => {
    const bare = input.outName.replace(/(?<=[^/\\])\.[^./\\]+$/, '');
    let name = taken.has(bare) ? input.outName : bare;
    for (let count = 2; taken.has(name); count += 1) name = `${input.outName}-${count}`;
    taken.add(name);
    return { ...input, outName: name };
  });
}
