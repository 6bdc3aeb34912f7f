/**
 * The servers to compare. An address comes from the user or from a shared link. It is never used before the user
 * presses Start, and this server's token is never sent to another server.
 */
import { webSocketUrl } from '../client/endpoint.js';

/**
 * @typedef {object} Place
 * @property {string | undefined} url For the client; undefined: this server.
 * @property {string} host As people read it.
 * @property {boolean} isOwn It is the server of this page.
 */

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:'];

/**
 * @param {string} text As typed: empty for this server, with or without a scheme and a path.
 * @param {string} [page] The address of the page.
 * @param {string} [socket] That of its own server's socket.
 * @returns {Place}
 */
export function placeOf(text, page = location.href, socket = webSocketUrl(undefined, {})) {
  const typed = text.trim();
  const own = new URL(socket);
  if (typed === '') return { url: undefined, host: own.host, isOwn: true };
  const scheme = new URL(page).protocol === 'https:' ? 'wss' : 'ws';
  const whole = /^[a-z][a-z\d+.-]*:\/\//i.test(typed) ? typed : `${scheme}://${typed}`;
  if (!URL.canParse(whole)) throw new TypeError(`This is not a valid address: ${typed}`);
  const { protocol, host } = new URL(whole);
  if (!SCHEMES.includes(protocol) || host === '') {
    throw new TypeError(`An address must begin with ws, wss, http or https: ${typed}`);
  }
  return { url: whole, host, isOwn: host === own.host };
}

/**
 * The text for the page's URL, so that it can be shared, without keys.
 * @param {string} text
 */
export function shareable(text) {
  const typed = text.trim();
  if (!URL.canParse(typed)) return typed.split('?')[0] ?? '';
  const url = new URL(typed);
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
