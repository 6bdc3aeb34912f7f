import type { ErrorCode } from '../src/errors.js';

interface Effects {
  effectFailed(effect: string, cause: unknown): void;
}

/**
 * Runs one effect of a machine. XState would rethrow what an action throws from a timer (which ends the
 * process) and leave the snapshot in the state that was being left, tags and all. So a throw is caught here,
 * reported, and handed to `fail`, which sends the machine an event that XState handles right after the step
 * in progress. `fail` is null for the last effect of a machine: there is no state left to go to.
 */
export function attempt<E extends Effects, N extends Exclude<keyof E, 'effectFailed'> & string>(
  context: { effects: E },
  name: N,
  fail: ((code: ErrorCode) => void) | null,
  run: (effects: E) => void,
): void {
  try {
    run(context.effects);
  } catch (cause) {
    try {
      context.effects.effectFailed(name, cause);
    } catch {
      // The reporter itself is broken: there is nobody left to tell, and the machine must still go on.
    }
    fail?.(codeOf(cause));
  }
}

/**
 * The code of a thrown ServerError, INTERNAL for anything else. Recognised by name: machines take types from
 * the error table and nothing that runs.
 */
function codeOf(cause: unknown): ErrorCode {
  if (cause instanceof Error && cause.name === 'ServerError' && 'code' in cause) {
    return cause.code as ErrorCode;
  }
  return 'INTERNAL';
}
