import { toJson, toSrt, toText, toTimestampedText, toVtt } from '../transcript-formats.js';

/** @typedef {import('../client/types.js').Segment} Segment */

/** @type {Record<string, { extension: string, type: string, render: (segments: Segment[], language: string) => string }>} */
const FORMATS = {
  txt: { extension: 'txt', type: 'text/plain', render: toText },
  times: { extension: 'times.txt', type: 'text/plain', render: toTimestampedText },
  json: { extension: 'json', type: 'application/json', render: (segments) => toJson(segments) },
  srt: { extension: 'srt', type: 'application/x-subrip', render: toSrt },
  vtt: { extension: 'vtt', type: 'text/vtt', render: (segments, language) => toVtt(segments, { language }) },
};

/**
 * Offers the transcript as a download.
 * @param {Segment[]} segments
 * @param {string} format A key of FORMATS.
 * @param {string} language BCP 47; may be empty.
 */
export function exportTranscript(segments, format, language) {
  const { extension, type, render } = FORMATS[format] ?? FORMATS.txt ?? failUnknown(format);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  download(`transcript-${stamp}.${extension}`, type, render(segments, language));
}

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/**
 * @param {string} format
 * @returns {never}
 */
function failUnknown(format) {
  throw new TypeError(`Unknown format ${format}`);
}
