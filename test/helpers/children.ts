/** Programs that do not outlive this one, however it ends (but for SIGKILL). */
import type { ChildProcess } from 'node:child_process';

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) {
    child.kill('SIGCONT'); // it may have been frozen
    child.kill();
  }
});

export function endsWithUs(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}
