/** What can be said about a full server: its number of places. It has no waiting list. */
import { withToken } from '../page-token.js';

const TIMEOUT_MS = 3_000;

/** @returns {Promise<string>} Empty where the server does not say. */
export async function capacityText() {
  try {
    const url = withToken(new URL('../../ws/status', import.meta.url));
    const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const { capacity } = await response.json();
    if (!response.ok || !Number.isInteger(capacity) || capacity < 1) return '';
    const all = capacity === 1 ? 'The only place is taken.' : `All ${capacity} places are taken.`;
    return `${all} There is no waiting list; the next free place goes to the first request.`;
  } catch {
    return '';
  }
}
