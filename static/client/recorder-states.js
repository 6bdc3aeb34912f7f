/**
 * @typedef {'idle' | 'requesting' | 'recording' | 'denied' | 'no-device' | 'busy' | 'insecure' | 'unsupported' | 'failed'} RecorderState
 */

/** @type {Record<RecorderState, string>} */
export const STATE_TEXTS = {
  idle: 'The microphone is off.',
  requesting: 'Waiting for permission to use the microphone.',
  recording: 'The microphone is on.',
  denied: 'The microphone is blocked. Allow it in the browser’s site settings, then try again.',
  'no-device': 'No microphone was found.',
  busy: 'The microphone is in use by another program.',
  insecure: 'Browsers allow the microphone only on https:// and localhost pages.',
  unsupported: 'This browser cannot record audio.',
  failed: 'The microphone failed.',
};

/** @type {Record<RecorderState, string>} In two or three words. */
export const STATE_NAMES = {
  idle: 'Microphone off',
  requesting: 'Waiting for the microphone',
  recording: 'Microphone on',
  denied: 'Microphone blocked',
  'no-device': 'No microphone',
  busy: 'Microphone in use',
  insecure: 'Microphone not allowed',
  unsupported: 'Recording not supported',
  failed: 'Microphone failed',
};

/** @type {Record<string, RecorderState>} */
const STATE_OF_ERROR = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'no-device',
  OverconstrainedError: 'no-device',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/**
 * Which state an error of getUserMedia means.
 * @param {unknown} error
 * @returns {RecorderState}
 */
export function stateOfError(error) {
  return (error instanceof Error && STATE_OF_ERROR[error.name]) || 'failed';
}
