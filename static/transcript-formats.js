/**
 * Exports of a transcript: pure functions from segments to text.
 * @typedef {import('./client/types.js').Segment} Segment
 */

/** Comfortable length of a caption line; a caption has at most two lines. */
const CAPTION_LINE_CHARS = 42;
const CAPTION_CHARS = 2 * CAPTION_LINE_CHARS;
/** Longest and shortest display of a caption, seconds. */
const CAPTION_MAX_SECONDS = 6;
const CAPTION_MIN_SECONDS = 0.8;

/**
 * @param {number} seconds
 * @param {string} [decimalMark] "," for SRT, "." for WebVTT.
 * @returns {string} 00:00:00.000
 */
export function timecode(seconds, decimalMark = '.') {
  const ms = Math.max(0, Math.round(seconds * 1_000));
  const pad = (/** @type {number} */ value, /** @type {number} */ digits) =>
    String(value).padStart(digits, '0');
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1_000) % 60];
  return `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}${decimalMark}${pad(ms % 1_000, 3)}`;
}

/**
 * @param {number} seconds
 * @returns {string} 0:07.3, as the page shows it.
 */
export function clockTime(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  const rest = tenths % 600;
  return `${Math.floor(tenths / 600)}:${String(Math.floor(rest / 10)).padStart(2, '0')}.${rest % 10}`;
}

const CHARACTER = '(?=[\\p{L}\\p{N}])[\\p{scx=Han}\\p{scx=Hiragana}\\p{scx=Katakana}\\p{scx=Bopomofo}]';
const BEGINS_WITH_CHARACTER = new RegExp(`^\\p{P}*${CHARACTER}`, 'u');
const ENDS_IN_CHARACTER = new RegExp(`${CHARACTER}\\p{M}*\\p{P}*$`, 'u');

/**
 * Joins words or segments with spaces, but without spaces between Chinese or Japanese characters, as the server does.
 * @param {string[]} texts
 */
export function joinTexts(texts) {
  return texts.reduce((all, text, i) => {
    const joined = ENDS_IN_CHARACTER.test(texts[i - 1] ?? '') && BEGINS_WITH_CHARACTER.test(text);
    return `${all}${i === 0 || joined ? '' : ' '}${text}`;
  }, '');
}

/**
 * @param {Segment} segment
 * @returns {string} Its text, behind the name of its channel where it has one.
 */
export function withSpeaker({ speaker, text }) {
  return speaker ? `${speaker}: ${text}` : text;
}

/** @param {Segment[]} segments */
export function toText(segments) {
  return joinLines(spoken(segments).map(withSpeaker));
}

/** @param {Segment[]} segments */
export function toTimestampedText(segments) {
  return joinLines(
    spoken(segments).map((s) => `[${timecode(s.start)} → ${timecode(s.end)}] ${withSpeaker(s)}`),
  );
}

/**
 * @param {Segment[]} segments
 * @param {Record<string, unknown>} [about] More fields for the top level, for example the model.
 */
export function toJson(segments, about = {}) {
  const transcript = joinTexts(spoken(segments).map((s) => s.text));
  return `${JSON.stringify({ ...about, transcript, segments }, null, 2)}\n`;
}

/** @param {Segment[]} segments */
export function toSrt(segments) {
  const all = captions(segments);
  return all
    .map((c, i) => {
      // As usual in subtitles, a speaker is named only after another one spoke.
      const name = c.speaker && c.speaker !== all[i - 1]?.speaker ? `${c.speaker}: ` : '';
      return `${i + 1}\n${timecode(c.start, ',')} --> ${timecode(c.end, ',')}\n${name}${c.lines.join('\n')}\n`;
    })
    .join('\n');
}

/**
 * @param {Segment[]} segments
 * @param {{ language?: string }} [options]
 */
export function toVtt(segments, { language } = {}) {
  const head = language ? `WEBVTT\nLanguage: ${language}\n` : 'WEBVTT\n';
  const cues = captions(segments).map(
    (c) =>
      `${timecode(c.start)} --> ${timecode(c.end)}\n${voiceTag(c)}${c.lines.map(escapeVtt).join('\n')}\n`,
  );
  return [head, ...cues].join('\n');
}

/**
 * Cuts segments at words into captions of at most two lines and six seconds that never overlap.
 * @param {Segment[]} segments
 * @returns {{ start: number, end: number, lines: string[], speaker?: string }[]}
 */
export function captions(segments) {
  const groups = spoken(segments).flatMap(groupWords);
  return groups.map((group, i) => {
    const next = groups[i + 1]?.start ?? Number.POSITIVE_INFINITY;
    const end = Math.min(Math.max(group.end, group.start + CAPTION_MIN_SECONDS), Math.max(next, group.end));
    const speaker = group.speaker === undefined ? {} : { speaker: group.speaker };
    return { start: group.start, end, lines: wrap(group.words), ...speaker };
  });
}

/**
 * @typedef {{ start: number, end: number, words: string[], speaker?: string | undefined }} Group
 * @param {Segment} segment
 * @returns {Group[]}
 */
function groupWords({ start, end, text, words, speaker }) {
  if (words.length === 0) return [{ start, end, words: text.split(/\s+/), speaker }];
  /** @type {Group[]} */
  const groups = [];
  let chars = 0;
  for (const word of words) {
    if (word.word === '') continue; // removed by hand
    const open = groups[groups.length - 1];
    const fits = chars + 1 + word.word.length <= CAPTION_CHARS;
    if (open && fits && word.end - open.start <= CAPTION_MAX_SECONDS) {
      open.words.push(word.word);
      open.end = word.end;
      chars += 1 + word.word.length;
    } else {
      groups.push({ start: word.start, end: word.end, words: [word.word], speaker });
      chars = word.word.length;
    }
  }
  return groups;
}

/**
 * One line, or two of nearly equal length.
 * @param {string[]} words
 */
function wrap(words) {
  const whole = joinTexts(words);
  if (whole.length <= CAPTION_LINE_CHARS) return [whole];
  let best = { at: 1, difference: Number.POSITIVE_INFINITY };
  for (let at = 1; at < words.length; at += 1) {
    const first = joinTexts(words.slice(0, at)).length;
    const difference = Math.abs(whole.length - 1 - 2 * first);
    if (difference < best.difference) best = { at, difference };
  }
  return [joinTexts(words.slice(0, best.at)), joinTexts(words.slice(best.at))].filter((line) => line !== '');
}

/** @param {{ speaker?: string }} caption */
function voiceTag({ speaker }) {
  return speaker ? `<v ${escapeVtt(speaker)}>` : '';
}

/** @param {string} text */
function escapeVtt(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** @param {Segment[]} segments */
function spoken(segments) {
  return segments.filter((s) => s.text.trim() !== '');
}

/** @param {string[]} lines */
function joinLines(lines) {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
