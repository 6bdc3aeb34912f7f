/**
 * A hash of everything that determines a stream's results to the last bit: the model's files, the runtime, the
 * execution provider, and the CPU's instruction sets, by which the runtime chooses its kernels. Engines with the same
 * fingerprint can continue each other's streams.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import type { Model } from '../models/store.js';

/** The instruction sets by which ONNX Runtime chooses its kernels, as Linux names them on x86 and ARM. */
const KERNEL_FLAGS = [
  ...[
    'avx',
    'avx2',
    'fma',
    'f16c',
    'avx512f',
    'avx512bw',
    'avx512dq',
    'avx512vl',
    'avx512_vnni',
    'avx_vnni',
    'amx_int8',
  ],
  ...['asimddp', 'i8mm', 'bf16', 'sve', 'asimdhp'],
];

/** The CPU's name if its instruction sets cannot be read. */
function kernelsOf(cpuinfo: string | null): string {
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo ?? '')?.[1]?.split(' ');
  if (flags === undefined) return cpus()[0]?.model ?? process.arch;
  return KERNEL_FLAGS.filter((flag) => flags.includes(flag)).join(' ');
}

function readCpuinfo(): string | null {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return null; // not on Linux
  }
}

const runtimeVersion = (): string =>
  (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version;

/**
 * SHA-256.
 * @param cpuinfo /proc/cpuinfo; null if there is none
 */
export function engineFingerprint(
  { manifest }: Pick<Model, 'manifest'>,
  provider: string,
  cpuinfo: string | null = readCpuinfo(),
  runtime = runtimeVersion(),
): Uint8Array {
  // The manifest contains the hashes of the model's files.
  const facts = [manifest, process.arch, provider, runtime, kernelsOf(cpuinfo)];
  return createHash('sha256').update(JSON.stringify(facts)).digest();
}
