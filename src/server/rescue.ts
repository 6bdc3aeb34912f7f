/** The last step for a process's sessions when its recogniser cannot continue. */
import { LIMITS } from '../limits.js';
import { within } from '../within.js';
import type { ServerContext } from './context.js';
import type { SessionRegistry } from './registry.js';

/** Every session that the fleet keeps is written and goes on elsewhere; the others stay. */
export const leaveAll = async (registry: SessionRegistry): Promise<void> => {
  await Promise.all(Array.from(registry.list(), ({ handover }) => handover.rescue()));
};

/** Resolves when the sessions are saved, or cannot be saved in time. Never rejects. */
export async function rescue({ rescue: act, log, registry }: ServerContext): Promise<void> {
  log.info({ sessions: registry.size }, 'saving sessions for other servers');
  try {
    await within(LIMITS.rescueMs, act(), `not within ${LIMITS.rescueMs} ms`);
  } catch (err) {
    log.error({ err }, 'sessions could not be saved');
  }
}
