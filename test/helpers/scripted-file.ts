import { LogSink } from '../../src/log-sink.js';

/** A log's file whose writes the test answers. */
export function scriptedFile() {
  const written: string[] = [];
  /** What `process.exit` wrote, and what its writes come to: bytes, or an error. */
  const atExit: string[] = [];
  const onExit = { count: 0, error: null as string | null };
  let answer: ((error: Error | null, bytes: number) => void) | null = null;
  let asked = '';
  const io = {
    write(_fd: number, bytes: Uint8Array, done: typeof answer) {
      asked = Buffer.from(bytes).toString();
      answer = done;
    },
    writeSync(_fd: number, bytes: Uint8Array, at: number) {
      const { count, error } = onExit;
      if (error !== null) throw Object.assign(new Error(error), { code: error });
      atExit.push(Buffer.from(bytes.subarray(at, at + count)).toString());
      return Math.min(count, bytes.length - at);
    },
  } as unknown as ConstructorParameters<typeof LogSink>[1];
  const reply = (error: Error | null, bytes: number) => {
    const done = answer;
    answer = null;
    if (error === null) written.push(asked.slice(0, bytes));
    done?.(error, bytes);
  };
  const exits = process.listeners('exit');
  const sink = new LogSink(2, io);
  const exit = process.listeners('exit').find((it) => !exits.includes(it)) as () => void;
  process.off('exit', exit);
  return {
    sink,
    written,
    atExit,
    onExit,
    exit,
    take: (bytes = asked.length) => reply(null, bytes),
    fail: (code: string) => reply(Object.assign(new Error(code), { code }), 0),
    isAsked: () => answer !== null,
  };
}
