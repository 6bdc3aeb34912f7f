/**
 * @param {string} code
 * @param {string} text
 * @param {boolean} [retryable]
 * @returns {import('./types.js').Reason}
 */
const reason = (code, text, retryable = true) => ({ code, text, retryable });

/** Reasons given by the client itself; the server's reasons are in its error table. */
export const REASONS = {
  ALREADY_RECORDING: reason('ALREADY_RECORDING', 'Stop first.', false),
  NOT_RECORDING: reason('NOT_RECORDING', 'No recording is running.', false),
  CLOSED: reason('CLOSED', 'Closed by the application.', false),
  CONNECTION_LOST: reason('CONNECTION_LOST', 'The connection was lost.'),
  UNREACHABLE: reason('UNREACHABLE', 'The server cannot be reached.'),
  TIMEOUT: reason('TIMEOUT', 'The server does not answer.'),
  RECORDING_ENDED: reason('RECORDING_ENDED', 'The server ended the recording; a new one continues it.'),
};
