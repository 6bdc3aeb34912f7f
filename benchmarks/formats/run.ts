/**
 * Writes docs/FORMATS.md: about 120 kinds of files, with the result of each. Run: `npm run formats` (ffmpeg and sox
 * make the files; kinds that they cannot make are left out and named).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPackage } from '../../src/paths.js';
import { loadClip } from '../../test/helpers/fixtures.js';
import { hasTool, makeVariant, measure, type Outcome, writeClip } from './make.js';
import { VARIANTS, type Variant } from './variants.js';

const CLIP = 'cathy-a0280';

function rowOf({ name, byFfmpeg }: Variant, { seconds, correlation, status, message }: Outcome): string {
  const decoder = status === null ? (byFfmpeg ? 'ffmpeg' : 'built in') : '';
  const out =
    seconds === null ? `${status}: ${message}` : `${seconds.toFixed(2)} s, ${correlation?.toFixed(3)}`;
  return `| ${name} | ${decoder} | ${out.replaceAll('|', '\\|')} |`;
}

const tools = (['ffmpeg', 'sox'] as const).filter(hasTool);
const folder = mkdtempSync(join(tmpdir(), 'formats-'));
try {
  const clip = await loadClip(CLIP);
  const input = join(folder, 'clip.wav');
  writeClip(input, clip);
  const rows: string[] = [];
  const left: string[] = [];
  const wrong: string[] = [];
  for (const variant of VARIANTS) {
    const bytes = tools.includes(variant.tool) ? makeVariant(variant, folder, input) : undefined;
    if (bytes === undefined) {
      left.push(variant.name);
      continue;
    }
    const outcome = await measure(variant, bytes, clip);
    rows.push(rowOf(variant, outcome));
    if (!outcome.asExpected) wrong.push(`${variant.name}: ${JSON.stringify(outcome)}`);
  }
  const seconds = (clip.length / 16_000).toFixed(2);
  const page = [
    '# Audio file formats',
    '',
    `The table lists ${rows.length} kinds of files, made from one clip of ${seconds} s by ffmpeg and sox, and the result of the`,
    "server's decoder: either seconds of audio and their correlation with the clip (1 is identical; narrow bands and low",
    'bit rates reduce it), or the status and text of the refusal. `npm run formats` writes the table and fails on any',
    'other result. [WEBSOCKET_API.md](WEBSOCKET_API.md#post-transcribefile) says how to send files. Live streams can be',
    'WebM and Ogg with Opus: [compressed audio](WEBSOCKET_API.md#compressed-audio).',
    '',
    'The format is detected from the bytes, whatever the name or content type. *built in* needs only this package. *ffmpeg*',
    'needs that program on the PATH of the server, since no freely licensed JavaScript library decodes AAC, and the other',
    'formats are rare. ffmpeg runs without access to files or the network, and is given the format to expect. Without it,',
    'such a file is refused with 415, and the answer says what is missing.',
    '',
    '| file | decoder | result |',
    '|---|---|---|',
    ...rows,
    '',
    ...(left.length === 0 ? [] : [`Not made on the machine that wrote this page: ${left.join('; ')}.`, '']),
  ];
  writeFileSync(inPackage('docs/FORMATS.md'), page.join('\n'));
  process.stdout.write(`${rows.length} kinds, ${left.length} not made, ${wrong.length} not as expected\n`);
  for (const line of [...left.map((name) => `not made: ${name}`), ...wrong])
    process.stdout.write(`${line}\n`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
