/** The server's codec worker, in which input that holds one of these texts is fatal to the thread that decodes it. */
import { ByteSource } from '../../src/audio/live/source.js';
import { FATAL, type FatalText } from './fatal-input.js';

const faults: Record<FatalText, () => void> = {
  hang: () => {
    new BroadcastChannel(FATAL.channel).postMessage('hangs');
    for (;;);
  },
  die: () => process.exit(1),
};

const { push } = ByteSource.prototype;
ByteSource.prototype.push = function (bytes) {
  const text = Buffer.from(bytes).toString('latin1');
  for (const [fatal, happen] of Object.entries(faults)) if (text === fatal) happen();
  push.call(this, bytes);
};

export { design, file, live, streams } from '../../workers/codec.js';
