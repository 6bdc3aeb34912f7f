/** The interpreter for tests of what is written in Python, and what it lacks. */
import { spawnSync } from 'node:child_process';

/** `.ci/run` makes an environment with all that the tests need, and names it here. */
export const python = process.env.RNNT_PYTHON ?? 'python3';

/** Why modules cannot be imported; false if they can. @param hint how to get them */
export function lacksModules(
  modules: readonly string[],
  hint = 'pip install -r test/sdks/requirements.txt',
): string | false {
  const { status } = spawnSync(python, ['-c', `import ${modules.join(', ')}`]);
  return status !== 0 && `${python} lacks ${modules.join(', ')}: ${hint}`;
}
