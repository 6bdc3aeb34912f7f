import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServerError } from '../../src/errors.js';
import { isForm, parseForm } from '../../src/server/multipart.js';

const TYPE = 'multipart/form-data; boundary=BOUND';
const form = (...parts: (string | Uint8Array)[]) =>
  Buffer.concat(parts.map((it) => Buffer.from(it as string)));
const field = (name: string, value: string) =>
  `--BOUND\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const END = '--BOUND--\r\n';

test('fields and files come out in order, their bytes untouched', () => {
  const bytes = Buffer.from('a\r\n--BOUN\r\n\0\xff--BOUND', 'latin1');
  const body = form(
    field('format', 'srt'),
    '--BOUND\r\ncontent-disposition: form-data; filename="x;y.wav"; name="file"\r\nContent-Type: audio/wav\r\n\r\n',
    bytes,
    '\r\n',
    field('hotwords', 'é:3'),
    END,
  );
  const { files, fields } = parseForm(body, TYPE);
  assert.deepEqual(fields, [['format', 'srt'], ['hotwords', 'é:3']]); // biome-ignore format: pairs
  assert.deepEqual(files.map(({ name }) => name), ['file']); // biome-ignore format: short
  assert.deepEqual(Buffer.from(files[0]!.bytes), bytes);
});

test('what clients write in their own way is understood', () => {
  const quoted = parseForm(
    form('preamble\r\n', field('a', ''), END, 'epilogue'),
    'Multipart/Form-Data; charset=x; boundary="BOUND"',
  );
  assert.deepEqual(quoted.fields, [['a', '']]);
  const spaced = form('--BOUND  \r\nContent-Disposition: form-data; name=bare\r\n\r\n1\r\n', END);
  assert.deepEqual(parseForm(spaced, TYPE).fields, [['bare', '1']]);
  const nameless = form(
    '--BOUND\r\nContent-Disposition: form-data; name="f"\r\nContent-Type: application/octet-stream\r\n\r\nxy\r\n',
    END,
  );
  assert.equal(parseForm(nameless, TYPE).files.length, 1);
  assert.equal(
    isForm('multipart/form-data; boundary=x') && !isForm('multipart/mixed') && !isForm(undefined),
    true,
  );
});

test('what is malformed is refused and says where', () => {
  const wrong: Record<string, [Buffer, RegExp, string?]> = {
    'no boundary': [form(END), /has no boundary/, 'multipart/form-data'],
    'a boundary that does not occur': [form('--OTHER--'), /does not occur/],
    'no end': [form(field('a', 'b')), /part at byte 9 has no end/],
    'no line end': [form('--BOUNDx', END), /no line ends at byte 7/],
    'no headers': [form('--BOUND\r\nhello\r\n', END), /headers of the part at byte 9 have no end/],
    'no name': [
      form('--BOUND\r\nContent-Disposition: form-data\r\n\r\nx\r\n', END),
      /part at byte 9 has no name/,
    ],
    'another disposition': [
      form('--BOUND\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n', END),
      /no name/,
    ],
    'a long field': [form(field('a', 'x'.repeat(70_000)), END), /field "a" has more than/],
    'too many parts': [
      form(...Array.from({ length: 101 }, () => field('a', 'b')), END),
      /more than 100 parts/,
    ],
  };
  for (const [name, [body, detail, type = TYPE]] of Object.entries(wrong)) {
    assert.throws(() => parseForm(body, type), { code: 'BAD_REQUEST', detail }, name);
  }
});

test('any bytes are a form or a named error', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '--BOUND',
      '\r\n',
      '--',
      'Content-Disposition: form-data; name="a"',
      '\r\n\r\n',
      '; filename="f"',
      '"',
    ),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        const { files, fields } = parseForm(form(...pieces), TYPE);
        assert.ok(files.length + fields.length <= 100);
      } catch (error) {
        assert.ok(error instanceof ServerError, String(error));
      }
    }),
    { seed: 5, numRuns: 2_000 },
  );
});
