/** `sendAll` hands audio over in pieces of this length. */
const PIECE_SECONDS = 0.1;

/**
 * Sends a long piece of audio as fast as the server accepts it, or slower.
 * @param {import('./runner.js').Runner} runner
 * @param {Int16Array | Float32Array} samples
 * @param {{ speed?: number, signal?: AbortSignal, onProgress?: (fraction: number) => void }} options
 */
export async function feed(runner, samples, { speed = Number.POSITIVE_INFINITY, signal, onProgress }) {
  const { recording } = runner;
  if (!recording) return;
  const { clock } = runner.options;
  const piece = Math.round(recording.rate * PIECE_SECONDS) * (recording.config.channels ?? 1);
  const startedMs = clock.now();
  for (let at = 0, n = 1; at < samples.length; at += piece, n += 1) {
    if (signal?.aborted || runner.recording !== recording || recording.stopping) return;
    const dueMs = Number.isFinite(speed) ? startedMs + (n * PIECE_SECONDS * 1_000) / speed : 0;
    const waitMs = dueMs - clock.now();
    if (waitMs > 0) await new Promise((resolve) => clock.setTimeout(() => resolve(undefined), waitMs));
    runner.send(samples.subarray(at, at + piece));
    onProgress?.(Math.min(1, (at + piece) / samples.length));
    if (!Number.isFinite(speed)) await runner.pump.drain();
  }
}
