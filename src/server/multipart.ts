/**
 * Parses a complete multipart/form-data body (RFC 7578). It is strict: a malformed body is refused, with the position.
 * Fastify's streaming parser is not used, since it waits forever on a part without a header.
 */
import { ServerError } from '../errors.js';

export interface FormFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Form {
  readonly files: readonly FormFile[];
  /** Names and values, in order. */
  readonly fields: readonly (readonly [string, string])[];
}

const MAX_PARTS = 100;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_FIELD_BYTES = 64 * 1024;
const MAX_BOUNDARY_CHARS = 70;
const [CR, LF, DASH, SPACE, TAB] = [13, 10, 45, 32, 9];

const malformed = (reason: string): ServerError =>
  new ServerError('BAD_REQUEST', `The form is malformed: ${reason}.`);

export const isForm = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^\s*multipart\/form-data\s*(;|$)/i.test(contentType);

/** The boundary that a content type names. @throws ServerError BAD_REQUEST */
function boundaryOf(contentType: string): string {
  const [, quoted, bare] = /;\s*boundary=(?:"([^"]*)"|([^\s;,]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? bare ?? '';
  if (boundary === '' || boundary.length > MAX_BOUNDARY_CHARS) throw malformed('the type has no boundary');
  return boundary;
}

/** @throws ServerError BAD_REQUEST */
export function parseForm(body: Buffer, contentType: string): Form {
  const delimiter = Buffer.from(`\r\n--${boundaryOf(contentType)}`, 'latin1');
  const files: FormFile[] = [];
  const fields: [string, string][] = [];
  // The first delimiter may be at the very beginning, without a preceding line break.
  const startsAtOnce = body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2));
  let at = startsAtOnce ? -2 : body.indexOf(delimiter);
  if (at < 0 && !startsAtOnce) throw malformed('its boundary does not occur in it');
  for (let parts = 0; ; parts += 1) {
    const after = at + delimiter.length;
    if (body[after] === DASH && body[after + 1] === DASH) return { files, fields };
    if (parts === MAX_PARTS) throw malformed(`it has more than ${MAX_PARTS} parts`);
    const start = lineEnd(body, after);
    const end = body.indexOf(delimiter, start - 2);
    if (end < 0) throw malformed(`the part at byte ${start} has no end`);
    const part = readPart(body, start, Math.max(start, end));
    if (part.isFile) files.push({ name: part.name, bytes: part.content });
    else fields.push([part.name, fieldValue(part.name, part.content)]);
    at = end;
  }
}

/** Position after the line break that follows a boundary; spaces may precede it. */
function lineEnd(body: Uint8Array, from: number): number {
  let at = from;
  while (body[at] === SPACE || body[at] === TAB) at += 1;
  if (body[at] !== CR || body[at + 1] !== LF) throw malformed(`no line ends at byte ${at}`);
  return at + 2;
}

interface Part {
  readonly name: string;
  readonly isFile: boolean;
  readonly content: Buffer;
}

function readPart(body: Buffer, start: number, end: number): Part {
  const headEnd = body.indexOf('\r\n\r\n', start, 'latin1');
  if (headEnd < 0 || headEnd > end || headEnd - start > MAX_HEADER_BYTES) {
    throw malformed(`the headers of the part at byte ${start} have no end`);
  }
  const headers = body.toString('utf8', start, headEnd);
  const disposition = /^content-disposition:\s*form-data\s*(;.*)$/im.exec(headers)?.[1];
  const name = disposition === undefined ? undefined : parameter(disposition, 'name');
  if (disposition === undefined || name === undefined) {
    throw malformed(`the part at byte ${start} has no name`);
  }
  const isFile =
    /;\s*filename\*?=/i.test(disposition) || /^content-type:\s*application\/octet-stream/im.test(headers);
  return { name, isFile, content: body.subarray(headEnd + 4, end) };
}

/** A parameter of a header; browsers write quotes in names as %22. */
function parameter(header: string, name: string): string | undefined {
  const [, quoted, bare] =
    new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;]+))`, 'i').exec(header) ?? [];
  return quoted?.replace(/\\(.)/g, '$1').replaceAll('%22', '"') ?? bare;
}

function fieldValue(name: string, content: Buffer): string {
  if (content.length <= MAX_FIELD_BYTES) return content.toString('utf8');
  throw malformed(`the field ${JSON.stringify(name.slice(0, 60))} has more than ${MAX_FIELD_BYTES} bytes`);
}
