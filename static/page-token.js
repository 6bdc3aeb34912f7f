/**
 * The access token of the pages: `?token=` of the page's URL. It is sent with every request to the page's server, and
 * kept for the other pages of the same tab.
 */

const KEY = 'rnnt-token';

/** @type {string | null} What was typed on this page goes before what stands in its address. */
let entered = null;

/** @param {string} token As the user typed it; kept like one of the address. */
export function useToken(token) {
  entered = token;
  pageToken();
}

/** @returns {string | null} */
export function pageToken() {
  const given = entered ?? new URLSearchParams(location.search).get('token');
  try {
    if (given) sessionStorage.setItem(KEY, given);
    return given ?? sessionStorage.getItem(KEY);
  } catch {
    return given; // The browser stores nothing for this page.
  }
}

/** @returns {Record<string, string>} Query parameters for a socket. */
export function pageParams() {
  const token = pageToken();
  return token ? { token } : {};
}

/**
 * @param {URL} url Of the page's own server.
 * @returns {URL} The same with the token.
 */
export function withToken(url) {
  for (const [name, value] of Object.entries(pageParams())) url.searchParams.set(name, value);
  return url;
}
