/**
 * THIRD_PARTY_NOTICES.md from the lockfile, the installed packages, the bundled speech and the models' cards. Written
 * by `npm run docs`; a test fails if it is out of date.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOOLS } from './installed.mjs';

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** Packages of the lockfile: name, version, licence, and whether they are only for development. */
export function lockedPackages(root) {
  const { packages } = readJson(join(root, 'package-lock.json'));
  return Object.entries(packages)
    .filter(([path, { link }]) => path.startsWith('node_modules/') && !link) // not this package and its workspaces
    .map(([path, { version, license, dev = false, optional = false }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return { path, name, version, licence: license ?? 'not stated', dev, optional };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The first copyright line of a package's licence file, if it is installed and has one. */
function copyrightOf(root, path) {
  const folder = join(root, path);
  if (!existsSync(folder)) return '';
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name));
  if (file === undefined) return '';
  const line = readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .find((text) => /copyright\s.*(\d{4}|\(c\)|©)/i.test(text));
  return (line ?? '')
    .replace(/[|*#<>]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

function runtimeRows(root) {
  const seen = new Set();
  return lockedPackages(root)
    .filter(
      ({ dev, name, version }) => !dev && !seen.has(`${name}@${version}`) && seen.add(`${name}@${version}`),
    )
    .map(({ name, version, licence, optional, path }) => {
      // Whether optional packages are installed depends on the machine; their owners are named by their main package.
      const owner = optional ? '' : copyrightOf(root, path);
      return `| ${name} | ${version} | ${licence} | ${owner} |`;
    });
}

function developmentRows(root) {
  const direct = [join(root, 'package.json'), join(root, TOOLS, 'package.json')].flatMap((path) =>
    Object.keys(readJson(path).devDependencies),
  );
  return lockedPackages(root)
    .filter(({ path }) => direct.includes(path.slice('node_modules/'.length)))
    .map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
}

function speechRows(root) {
  const sample = readJson(join(root, 'static', 'sample.json'));
  const clips = readJson(join(root, 'test', 'fixtures', 'speech.json'));
  const rows = [`| \`static/sample.wav\` | ${sample.source}, ${sample.id} | ${sample.licence} |`];
  const counts = new Map();
  for (const { source, licence } of clips) {
    const key = `${source} | ${licence}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const [key, count] of [...counts].sort())
    rows.push(`| \`test/fixtures/speech/\` (${count} clips) | ${key} |`);
  rows.push(
    `| \`test/fixtures/field-files/\`, \`test/fixtures/formats/\` | the beginning of \`static/sample.wav\` | ${sample.licence} |`,
  );
  return rows;
}

/** The origin of a model, from its folder; the card has the details. */
function modelSections(root) {
  const folder = join(root, 'models');
  const listed = readFileSync(join(folder, 'default'), 'utf8').trim();
  const path = join(folder, listed, 'manifest.json');
  // The pilot is only for development of the server and is never published.
  if (listed === 'pilot' || !existsSync(path)) return ['No model is part of this checkout.'];
  const { name, version, licence, provenance } = readJson(path);
  const card = existsSync(join(folder, listed, 'MODEL_CARD.md'));
  return [
    `**${name} ${version}** (\`models/${listed}/\`), licence ${licence}. ${provenance}`,
    ...(card
      ? [
          '',
          `Attributions of the speech it was trained on: [models/${listed}/MODEL_CARD.md](models/${listed}/MODEL_CARD.md).`,
        ]
      : []),
  ];
}

export function renderNotices(root) {
  return `${[
    '# Third-party notices',
    '',
    '<!-- Made by `npm run docs`. Do not edit. -->',
    '',
    'rnnt-server itself is under the Apache License 2.0 (LICENSE). It builds on the work of others:',
    '',
    '## Software that runs with the server',
    '',
    'Installed by npm with their full licence texts in `node_modules/<package>/`. An image that is built with `deploy/Dockerfile`',
    'contains these texts as well. The parts of ONNX Runtime have notices of their own: ThirdPartyNotices.txt in its source repository.',
    '',
    '| package | version | licence | copyright |',
    '| --- | --- | --- | --- |',
    ...runtimeRows(root),
    '',
    'Inside of packages, as WebAssembly or asm.js: libmpg123 (mpg123-decoder; LGPL-2.1, mpg123.de), libvorbis and libogg',
    '(@wasm-audio-decoders/ogg-vorbis; BSD-3-Clause, xiph.org), libopus (opus-decoder; BSD-3-Clause, opus-codec.org), libFLAC',
    '(libflacjs; BSD-3-Clause, xiph.org). Each is a package of its own that can be replaced. ffmpeg is no part of this: if it',
    'is installed, it is run as a program.',
    '',
    '## Software used for building and testing only',
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...developmentRows(root),
    '',
    '## Speech in this repository',
    '',
    '| files | source | licence |',
    '| --- | --- | --- |',
    ...speechRows(root),
    '',
    '## The embedded model',
    '',
    "The embedded model is a streaming phone transducer made from Vosk's small network (LF-MMI, no blanks, no learned",
    'predictor) with a lexicon and trigram search inside the step.',
    '',
    ...modelSections(root),
  ].join('\n')}\n`;
}
