/** @type {Record<string, string>} */
const RECONNECTING = {
  UNREACHABLE: 'Server unreachable, trying again',
  RECORDING_ENDED: 'Recording ended by the server, continuing',
};

/**
 * The message for a connection state.
 * @param {import('../client/types.js').StateChange} change
 * @returns {{ state: string, text: string, tone?: 'bad' | 'warn' }} `tone` where a notice is due.
 */
export function connectionText(change) {
  const { state, reason, retryInMs, fresh } = change;
  const wait =
    retryInMs === undefined ? '' : `, trying again in ${Math.max(1, Math.round(retryInMs / 1_000))} s`;
  const named = reason !== undefined && reason.code !== 'CONNECTION_LOST';
  switch (state) {
    case 'connecting':
      return { state, text: 'Connecting' };
    case 'live':
      return { state, text: 'Live' };
    case 'reconnecting':
      return {
        state,
        text: `${RECONNECTING[reason?.code ?? ''] ?? 'Connection lost, reconnecting'}`,
        ...(named ? { tone: 'warn' } : {}),
      };
    case 'resumed':
      return { state, text: fresh ? 'Resumed in a new session' : 'Resumed' };
    case 'refused':
      return {
        state,
        text: `${reason?.code === 'AT_CAPACITY' ? 'Server full' : 'Refused'}${wait}`,
        tone: 'bad',
      };
    case 'closed':
      if (reason?.code === 'CLOSED') return { state: 'idle', text: 'Ready' };
      return { state: 'failed', text: 'Not connected', tone: 'bad' };
    default:
      return { state, text: 'Ready' };
  }
}
