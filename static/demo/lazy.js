/**
 * A value that is created when first needed. If creating it fails, the next call tries again.
 * @template T
 * @param {() => Promise<T>} make
 * @returns {(() => Promise<T>) & { readonly loaded: boolean }}
 */
export function lazy(make) {
  /** @type {Promise<T> | null} */
  let made = null;
  let loaded = false;
  const get = () => {
    made ??= make().then(
      (it) => {
        loaded = true;
        return it;
      },
      (error) => {
        made = null;
        throw error;
      },
    );
    return made;
  };
  return /** @type {(() => Promise<T>) & { readonly loaded: boolean }} */ (
    Object.defineProperty(get, 'loaded', { get: () => loaded })
  );
}

/** @returns {Promise<void>} Resolves when the page stands and the browser has time. */
export const idle = () =>
  new Promise((resolve) => {
    // After one paint; soon, if there is no such callback or the page is hidden.
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => resolve(), { timeout: 300 });
    else setTimeout(resolve, 50);
  });
