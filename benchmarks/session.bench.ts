/**
 * Cost of a 100 ms chunk on the main thread, from the socket's payload to the socket's text; the budget is 30 µs. It
 * excludes ws itself and system calls; parsing a masked frame is measured separately. Run: `node
 * dist/benchmarks/session.bench.js`.
 */
import * as ws from 'ws';
import { createBench, report, times } from './report.js';
import { babble, createRig, FRAME, type Rig, silence, speech } from './rig.js';

const SIZES = [1, 16, 64, 128];
const sizeOf = (name: string): number => Number(/(\d+) streams?$/.exec(name)?.[1] ?? 1);

const whole = createBench('main thread, per 100 ms chunk of a stream', { time: 600, warmupTime: 300 });
const rigs: Rig[] = [];
const add = (name: string, rig: Rig) => {
  rigs.push(rig);
  whole.add(name, () => rig.round());
};
for (const size of SIZES) add(`silence, ${size} streams`, createRig(size, silence));
for (const size of SIZES) add(`speech, ${size} streams`, createRig(size, speech));
add('speech without partials, 64 streams', createRig(64, speech, { partials: false }));
add('speech without words, 64 streams', createRig(64, speech, { words: false }));
add('a partial in every chunk, 64 streams', createRig(64, babble, { max_segment_duration: 10 }));
await whole.run();
report(whole, sizeOf);

const [session] = createRig(1, silence, { metrics: true }).sessions;
const parts = createBench('beside it');
parts.add(
  'sweep of a session with metrics, once per second',
  times(100, () => session?.sweep(performance.now())),
);

/** A masked frame of 3,200 bytes, as a client sends it, through the receiver of ws. */
interface Receiver {
  on(event: 'message', listener: () => void): void;
  write(bytes: Uint8Array): void;
}
interface Sender {
  send(text: string, options: object, done?: () => void): void;
}
const { Receiver: ReceiverClass, Sender: SenderClass } = ws as unknown as {
  Receiver: new (options: object) => Receiver;
  Sender: new (socket: object) => Sender;
};
const receiver = new ReceiverClass({ isServer: true, maxPayload: 1 << 20, allowSynchronousEvents: true });
receiver.on('message', () => {});
const masked = Buffer.concat([
  Buffer.from([0x82, 0xfe, FRAME.length >> 8, FRAME.length & 255, 1, 2, 3, 4]),
  FRAME,
]);
parts.add(
  'ws: parse and unmask a frame of 3,200 bytes',
  times(100, () => receiver.write(masked)),
);
const sender = new SenderClass({ write: () => true, cork() {}, uncork() {} });
const text = 'x'.repeat(700);
const unmasked = { binary: false, mask: false, fin: true, compress: false };
parts.add(
  'ws: frame a partial of 700 characters',
  times(100, () => sender.send(text, unmasked)),
);
await parts.run();
report(parts, () => 100);
