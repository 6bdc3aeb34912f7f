/** Waiting for something, but not for ever. */

/**
 * The result of `promise`, if it comes in time. What `promise` does later is ignored, a failure included.
 * @param ms the longest wait
 * @param late text of the error after it
 * @throws Error with the text `late`, or the error of `promise`
 */
export async function within<T>(ms: number, promise: Promise<T>, late: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(late)), ms);
  });
  try {
    return await Promise.race([promise, tooLong]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {}); // it may still fail, when nobody waits for it any more
  }
}

/** The result of `promise`, or `otherwise` if it fails or does not come within `ms`. */
export const withinOr = <T>(ms: number, promise: Promise<T>, otherwise: T): Promise<T> =>
  within(ms, promise, '').catch(() => otherwise);
