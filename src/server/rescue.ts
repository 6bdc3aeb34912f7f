/** The last step for a process's sessions when its recogniser cannot continue. */
import { LIMITS } from '../limits.js';
import type { ServerContext } from './context.js';
import type { SessionRegistry } from './registry.js';

/** Every session that the fleet keeps is written and goes on elsewhere; the others stay. */
export const leaveAll = async (registry: SessionRegistry): Promise<void> => {
  await Promise.all(Array.from(registry.list(), ({ handover }) => handover.rescue()));
};

/** Resolves when the sessions are saved, or cannot be saved in time. Never rejects. */
export async function rescue({ rescue: act, log, registry }: ServerContext): Promise<void> {
  if (act === undefined) return;
  log.info({ sessions: registry.size }, 'saving sessions for other servers');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, LIMITS.rescueMs, new Error(`not within ${LIMITS.rescueMs} ms`));
  });
  try {
    await Promise.race([act(), late]);
  } catch (err) {
    log.error({ err }, 'sessions could not be saved');
  } finally {
    clearTimeout(timer);
  }
}
