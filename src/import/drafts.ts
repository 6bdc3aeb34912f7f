/**
 * Draft folders of models being imported, and those left behind by imports that were killed (kill -9, power failure).
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** The process that imports a model, and its machine or container. */
export interface Maker {
  readonly host: string;
  readonly pid: number;
}

/** Hidden, so that listings do not show it as a model. */
export const draftName = (name: string, { host, pid }: Maker): string =>
  `.importing-${name}@${host.replaceAll(/[^A-Za-z0-9._-]/g, '_')}-${pid}`;

const DRAFT = /^\.importing-(?:.+@(.+)-(\d+)|.+)$/;
/** For processes of other machines, which cannot be checked: no import takes this long. */
const OLD_MS = 24 * 3_600_000;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: it belongs to another user
  }
}

/** When a file of a draft was last written; files are written one after another. */
function writtenMs(folder: string): number {
  const files = readdirSync(folder).map((file) => join(folder, file));
  return Math.max(...[folder, ...files].map((path) => statSync(path).mtimeMs));
}

/**
 * Removes drafts whose process has ended on this machine. Drafts of other machines, or of a process id that is in use
 * again, are removed if nothing was written for a day. Those that cannot be read or removed stay; the import continues.
 */
export function removeStaleDrafts(out: string, nowMs = Date.now()): void {
  const here = DRAFT.exec(draftName('x', { host: hostname(), pid: 0 }))?.[1];
  for (const name of readdirSync(out)) {
    const draft = DRAFT.exec(name);
    if (draft === null) continue;
    const [, host, pid] = draft;
    const folder = join(out, name);
    try {
      const ended = host === here && !isRunning(Number(pid));
      if (ended || nowMs - writtenMs(folder) > OLD_MS) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Removed meanwhile, or of another user.
    }
  }
}
