/** CPU time and memory of a process and its descendants, from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second: the value of `getconf CLK_TCK` on every current Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;
/** Places among the fields behind the command's name in /proc/PID/stat (proc(5)). */
const FIELD = { parent: 1, utime: 11, stime: 12, rssPages: 21 } as const;

interface ProcessFigures {
  readonly parent: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Null if it has ended. */
function figuresOf(pid: number): ProcessFigures | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (place: number) => Number(fields[place]);
    return {
      parent: at(FIELD.parent),
      cpuMs: ((at(FIELD.utime) + at(FIELD.stime)) * 1_000) / TICKS_PER_SECOND,
      rssBytes: at(FIELD.rssPages) * PAGE_BYTES,
    };
  } catch {
    return null;
  }
}

/** Milliseconds of user and system time since their starts, and resident bytes, of a process and its descendants. */
export function treeFigures(root: number): { cpuMs: number; rssBytes: number } {
  const all = new Map<number, ProcessFigures>();
  for (const name of readdirSync('/proc')) {
    const figures = /^\d+$/.test(name) ? figuresOf(Number(name)) : null;
    if (figures !== null) all.set(Number(name), figures);
  }
  const belongs = (pid: number): boolean => {
    if (pid === root) return true;
    const parent = all.get(pid)?.parent ?? 0;
    return parent > 1 && belongs(parent);
  };
  let [cpuMs, rssBytes] = [0, 0];
  for (const [pid, figures] of all) {
    if (!belongs(pid)) continue;
    cpuMs += figures.cpuMs;
    rssBytes += figures.rssBytes;
  }
  return { cpuMs, rssBytes };
}
