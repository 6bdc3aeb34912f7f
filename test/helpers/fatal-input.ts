/** Input that makes a decoder's thread hang or die (stuck-codec-worker.ts). */
import { once } from 'node:events';

export type FatalText = 'hang' | 'die';

export const FATAL = {
  channel: 'rnnt-test-fatal-input',
  worker: new URL('./stuck-codec-worker.js', import.meta.url).href,
};

export const fatal = (text: FatalText): Uint8Array => Buffer.from(text);

/** Call before the input is sent: resolves when a thread hangs. */
export async function hanging(): Promise<void> {
  const channel = new BroadcastChannel(FATAL.channel);
  await once(channel as unknown as EventTarget, 'message');
  channel.close();
}
