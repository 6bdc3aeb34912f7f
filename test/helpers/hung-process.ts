/** A process in which a thread is in native code for minutes, and that is to end all the same. */
import { Worker } from 'node:worker_threads';
import { endAtOnce } from '../../src/end.js';
import { createLogger } from '../../src/log.js';

const LONG =
  "require('node:worker_threads').parentPort.postMessage(0); require('node:crypto').pbkdf2Sync('', '', 2e9, 64, 'sha512')";
const worker = new Worker(LONG, { eval: true });
worker.once('message', () => void endAtOnce(createLogger({ logLevel: 'info', devMode: false })));
