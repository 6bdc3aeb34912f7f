/** Where `transcribe` writes its results, and how. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServerError } from '../errors.js';
import { type FileFormat, FORMAT_FILES, renderAs, verboseJson } from '../protocol/file-formats.js';
import type { FileTranscript } from '../protocol/file-result.js';
import type { Failure } from './exit-codes.js';
import type { Input } from './inputs.js';

/** Standard output, one file, or a folder with a file per input. */
export type Target =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file' | 'folder'; readonly path: string };

/** Formats whose results can follow each other on standard output, one line each. */
const IN_LINES: readonly FileFormat[] = ['text', 'json', 'verbose_json'];
const isJson = (format: FileFormat): boolean => format === 'json' || format === 'verbose_json';

/** @throws ServerError CONFIG_INVALID when there is no place for several results */
export async function targetOf(out: string | undefined, inputs: number, format: FileFormat): Promise<Target> {
  if (out === undefined || out === '-') {
    if (inputs <= 1 || IN_LINES.includes(format)) return { kind: 'stdout' };
    throw new ServerError('CONFIG_INVALID', `--format ${format} with several files needs --out FOLDER.`);
  }
  const isFolder = await stat(out).then(
    (found) => found.isDirectory(),
    () => /[/\\]$/.test(out) || inputs > 1,
  );
  if (isFolder) return { kind: 'folder', path: out };
  if (inputs <= 1) return { kind: 'file', path: out };
  throw new ServerError('CONFIG_INVALID', `--out ${out} is a file; several inputs need a folder.`);
}

export class Results {
  constructor(
    private readonly target: Target,
    private readonly format: FileFormat,
    private readonly language: string,
    /** Several inputs: each text on standard output is preceded by its file's name. */
    private readonly isMany: boolean,
    private readonly stdout: { write(text: string): unknown },
  ) {}

  async write(input: Input, file: FileTranscript, about: Record<string, unknown>): Promise<void> {
    const text = this.render(input, file, about);
    const { target } = this;
    if (target.kind === 'stdout') {
      this.stdout.write(this.isMany && this.format === 'text' ? `${input.name}: ${text}` : text);
      return;
    }
    const path =
      target.kind === 'file'
        ? target.path
        : join(target.path, `${input.outName}.${FORMAT_FILES[this.format].ending}`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  /** In JSON-lines output a failure takes the place of the result. */
  fail(input: Input, { code, message }: Failure): void {
    if (this.target.kind !== 'stdout' || !isJson(this.format)) return;
    this.stdout.write(`${JSON.stringify({ file: input.name, error: { code, detail: message } })}\n`);
  }

  private render(input: Input, file: FileTranscript, about: Record<string, unknown>): string {
    const { format } = this;
    if (!isJson(format)) return renderAs(format, file, this.language);
    const result = format === 'json' ? { ...file, ...about } : verboseJson(file, { language: this.language });
    return `${JSON.stringify({ file: input.name, ...result })}\n`;
  }
}
