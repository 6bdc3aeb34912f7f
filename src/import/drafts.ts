/** Folders of models in the making, and those that imports left behind which were ended from outside (kill -9, no power). */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Who makes a model: a process on a machine, or in a container. */
export interface Maker {
  readonly host: string;
  readonly pid: number;
}

/** Hidden, so that no listing of models takes it for one. */
export const draftName = (name: string, { host, pid }: Maker): string =>
  `.importing-${name}@${host.replaceAll(/[^A-Za-z0-9._-]/g, '_')}-${pid}`;

const DRAFT = /^\.importing-(?:.+@(.+)-(\d+)|.+)$/;
/** Whether a process of another machine still runs cannot be asked; no import takes as long as this. */
const OLD_MS = 24 * 3_600_000;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: it is somebody else's
  }
}

/** When something in a draft was last written; its files are written one after another. */
function writtenMs(folder: string): number {
  const files = readdirSync(folder).map((file) => join(folder, file));
  return Math.max(...[folder, ...files].map((path) => statSync(path).mtimeMs));
}

/**
 * Removes drafts whose process has ended on this machine, and those of other machines (or of a number that another process has now)
 * that nobody has written to for a day. What cannot be looked at or removed stays: the import goes on without.
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
      // Gone meanwhile, or somebody else's.
    }
  }
}
