/** The client of the transcribe page: passes its events to the transcript, the connection state and the figures. */
import { pageParams } from '../page-token.js';
import { clockTime } from '../transcript-formats.js';
import { RNNTClient } from '../websocket-client.js';
import { capacityText } from './capacity.js';
import { showFigures } from './figures.js';
import { byId, notice, painted, showConnection } from './page.js';

/**
 * @param {{
 *   vad: boolean, view: import('../transcription-ui.js').TranscriptView,
 *   isCurrent: () => boolean, onSegment: () => void, onGivenUp: () => void, giveUp: () => void,
 * }} options `isCurrent`: no newer client has taken over; `onGivenUp`: it has ended by itself; `giveUp`: ends it.
 */
export function demoClient({ vad, view, isCurrent, onSegment, onGivenUp, giveUp }) {
  const client = new RNNTClient({ vad, params: pageParams(), painted });
  client.on('state', (change) => {
    if (!isCurrent()) return;
    showConnection(change, { retry: () => client.retryNow(), giveUp });
    if (change.state === 'refused' && change.reason?.code === 'AT_CAPACITY') void sayFull();
    if (change.reason?.code === 'UNAUTHORIZED') byId('token-form').hidden = false;
    if (change.state === 'closed' && change.reason?.code !== 'CLOSED') onGivenUp();
  });
  /** The refusal says that the server is full; its status gives the number of places. */
  const sayFull = async () => {
    const text = await capacityText();
    if (text && isCurrent() && client.state === 'refused') byId('notice-text').textContent = text;
  };
  client.on('partial', (partial) => {
    view.showPartial(partial);
    byId('listening').hidden = view.text !== '';
  });
  client.on('transcription', (segment) => {
    view.addSegment(segment);
    onSegment();
  });
  client.on('dropped', ({ to, totalSeconds }) => {
    notice(`${totalSeconds.toFixed(1)} s of audio were lost; the last gap ends at ${clockTime(to)}.`, 'warn');
  });
  client.on('warning', ({ text }) => notice(text, 'warn'));
  client.on('error', ({ text }) => notice(text));
  let due = false;
  const showSoon = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      showFigures(client.stats);
    });
  };
  client.on('latency', showSoon);
  client.on('metrics', showSoon);
  return client;
}
