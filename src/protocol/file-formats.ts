/** A file's transcript as text, as subtitles, or in OpenAI's format. */
import { toSrt, toVtt } from '#static/transcript-formats.js';
import type { FileSegment, FileTranscript, FileWarning } from './file-result.js';
import { round } from './render.js';

export const FILE_FORMATS = ['json', 'text', 'srt', 'vtt', 'verbose_json'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

export const isFileFormat = (value: string): value is FileFormat =>
  (FILE_FORMATS as readonly string[]).includes(value);

/** The file extension and HTTP content type of each format. */
export const FORMAT_FILES: Record<FileFormat, { readonly ending: string; readonly contentType: string }> = {
  json: { ending: 'json', contentType: 'application/json; charset=utf-8' },
  text: { ending: 'txt', contentType: 'text/plain; charset=utf-8' },
  srt: { ending: 'srt', contentType: 'text/plain; charset=utf-8' },
  vtt: { ending: 'vtt', contentType: 'text/plain; charset=utf-8' },
  verbose_json: { ending: 'json', contentType: 'application/json; charset=utf-8' },
};

/** One line per segment for separate channels, otherwise the whole text in one line; ends with a line break. */
export function renderText(file: FileTranscript): string {
  if (file.channels === undefined) return `${file.text}\n`;
  return file.segments.map((segment) => `${labelled(segment)}\n`).join('');
}

/** SubRip: numbered captions of at most two lines and six seconds. */
export const renderSrt = (file: FileTranscript): string => toSrt(captionSegments(file));

/** WebVTT with the same captions. */
export const renderVtt = (file: FileTranscript, language?: string): string =>
  toVtt(captionSegments(file), language === undefined ? {} : { language });

const labelled = ({ channel, text }: FileSegment): string =>
  channel === undefined ? text : `channel ${channel}: ${text}`;

type CaptionSegment = Parameters<typeof toSrt>[0][number];

/** Each segment with its words; the first word of a channel's turn names the channel. */
function captionSegments(file: FileTranscript): CaptionSegment[] {
  const sources = file.channels ?? [{ ...file, channel: undefined }];
  const captions = sources.flatMap(({ words, segments, channel }) =>
    segments.map((segment, index): CaptionSegment => {
      // A segment begins with its first word.
      const until = segments[index + 1]?.start ?? Number.POSITIVE_INFINITY;
      const its = words.filter(({ start }) => start >= segment.start && start < until);
      const label = channel === undefined ? '' : `channel ${channel}: `;
      return {
        ...segment,
        end: round(segment.start + segment.duration, 2),
        words: its.map((word, at) => (at === 0 ? { ...word, word: label + word.word } : word)),
        reason: 'stop',
      };
    }),
  );
  return captions.sort((a, b) => a.start - b.start);
}

export interface VerboseOptions {
  readonly language: string;
  /** Which lists to include; default: both. */
  readonly words?: boolean;
  readonly segments?: boolean;
}

/**
 * OpenAI's `verbose_json`. Its clients require every field of a segment. Fields without a figure here hold the values
 * of a certain result sampled once. `avg_logprob` is the logarithm of the confidence.
 */
export function verboseJson(file: FileTranscript, options: VerboseOptions) {
  const { language, words = true, segments = true } = options;
  const duration = file.audio_duration_s;
  return {
    task: 'transcribe' as const,
    language,
    duration,
    text: file.text,
    ...(words ? { words: file.words.map(({ word, start, end }) => ({ word, start, end })) } : {}),
    ...(segments ? { segments: file.segments.map(verboseSegment) } : {}),
    usage: { type: 'duration' as const, seconds: Math.ceil(duration) },
    ...(file.warnings.length > 0 ? { warnings: file.warnings } : {}),
  };
}

function verboseSegment(segment: FileSegment, id: number) {
  const { start, duration, text, confidence } = segment;
  return {
    id,
    seek: Math.round(start * 100),
    start,
    end: round(start + duration, 2),
    text,
    tokens: [],
    temperature: 0,
    avg_logprob: round(Math.log(Math.max(confidence, 1e-4)), 4),
    compression_ratio: 1,
    no_speech_prob: 0,
    ...(segment.channel === undefined ? {} : { channel: segment.channel }),
  };
}

/** A transcript in any format; for `json`, the fields of `about` are added. */
export function renderAs(
  format: FileFormat,
  file: FileTranscript,
  language: string,
  about: Record<string, unknown> = {},
): string {
  switch (format) {
    case 'text':
      return renderText(file);
    case 'srt':
      return renderSrt(file);
    case 'vtt':
      return renderVtt(file, language);
    case 'verbose_json':
      return JSON.stringify(verboseJson(file, { language }));
    case 'json':
      return JSON.stringify({ ...file, ...about });
  }
}

/** Warnings as the value of a header, for formats that cannot hold them: one line of ASCII. */
export const warningsHeader = (warnings: readonly FileWarning[]): string =>
  JSON.stringify(warnings).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
