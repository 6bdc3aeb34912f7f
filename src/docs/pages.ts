/** The documents that the server shows, in the order of the menu. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { inPackage } from '../paths.js';

export interface DocPage {
  /** In URLs: `/docs/NAME` and `/docs/NAME.md`. */
  readonly name: string;
  readonly title: string;
  /** Its purpose in one line. */
  readonly about: string;
  readonly section: Section;
  /** Path of its file, from the package's root; null if it is generated from the code. */
  readonly path: string | null;
  readonly markdown: () => string;
}

/** A page without a file, such as the reference of the HTTP routes. */
export type GeneratedPage = Omit<DocPage, 'path'>;

/** Name of the page that lists the others. */
export const INDEX = 'index';

const START = 'Use it';
const REFERENCE = 'Reference';
const OPERATE = 'Run it';
const PROJECT = 'The project';
const MORE = 'More';
export const SECTIONS = [START, REFERENCE, OPERATE, PROJECT, MORE] as const;
export type Section = (typeof SECTIONS)[number];

/** Entry for a file: path, name in URLs, title in the menu, purpose. */
type Entry = readonly [path: string, name: string, title: string, about: string];

const FILES: Readonly<Partial<Record<Section, readonly Entry[]>>> = {
  [START]: [
    ['README.md', 'README', 'Overview', 'What it is, how it compares, the first transcription'],
    [
      'docs/DEVELOPER_GUIDE.md',
      'DEVELOPER_GUIDE',
      'Developer guide',
      'The client library, the mock server; working on the server',
    ],
    ['docs/SDKS.md', 'SDKS', "Other vendors' SDKs", 'The line to change in each SDK, and what is supported'],
    ['examples/README.md', 'EXAMPLES', 'Examples', 'Clients in JavaScript, Python, React, Flask and Express'],
    ['clients/python/README.md', 'PYTHON_CLIENT', 'Python client', 'The client package for Python'],
  ],
  [REFERENCE]: [
    [
      'docs/WEBSOCKET_API.md',
      'WEBSOCKET_API',
      'WebSocket and HTTP API',
      'The protocol: connecting, audio, messages, errors, limits, resuming',
    ],
    ['docs/FORMATS.md', 'FORMATS', 'Audio files', 'Supported audio file formats'],
    ['docs/MODELS.md', 'MODELS', 'Models', 'The manifest, the graph, importing a model'],
    [
      'models/en-tiny-streaming/MODEL_CARD.md',
      'MODEL_CARD',
      'Model card',
      'The embedded model: training, word errors, limitations',
    ],
  ],
  [OPERATE]: [
    ['docs/CONFIGURATION.md', 'CONFIGURATION', 'Configuration', 'Every option, its default and its meaning'],
    [
      'docs/DEPLOYMENT.md',
      'DEPLOYMENT',
      'Deployment',
      'systemd, Docker, nginx, Kubernetes, TLS, keys, metrics',
    ],
    ['deploy/README.md', 'DEPLOY_FILES', 'Deployment files', 'The files in deploy/'],
    ['docs/PERFORMANCE_TUNING.md', 'PERFORMANCE_TUNING', 'Performance tuning', 'Measurements and tuning'],
    ['docs/RELIABILITY.md', 'RELIABILITY', 'Reliability', 'What is guaranteed when something fails'],
    ['docs/TROUBLESHOOTING.md', 'TROUBLESHOOTING', 'Troubleshooting', 'Symptom, diagnosis, remedy'],
    ['SECURITY.md', 'SECURITY', 'Security', 'Access control, threats and defences'],
  ],
  [PROJECT]: [
    ['docs/ARCHITECTURE.md', 'ARCHITECTURE', 'Architecture', 'How it is built, and why'],
    ['docs/MACHINES.md', 'MACHINES', 'State machines', 'Session and server, generated from the code'],
    ['CHANGELOG.md', 'CHANGELOG', 'Changelog', 'What changed in each version'],
    ['CONTRIBUTING.md', 'CONTRIBUTING', 'Contributing', 'How to change the server'],
    ['docs/RELEASING.md', 'RELEASING', 'Releasing', 'The checklist of a release'],
    [
      'THIRD_PARTY_NOTICES.md',
      'THIRD_PARTY_NOTICES',
      'Third-party notices',
      'Third-party software, speech and models',
    ],
  ],
};

const read = (path: string): string => readFileSync(inPackage(path), 'utf8');

const pageOf = (section: Section, [path, name, title, about]: Entry): DocPage => ({
  name,
  title,
  about,
  section,
  path,
  markdown: () => read(path),
});

/** A document that is not in the list is described by its own heading and first sentence. */
function unlisted(path: string): DocPage {
  const text = read(path);
  const name = path.slice(path.lastIndexOf('/') + 1, -'.md'.length);
  const title = /^# (.+)$/m.exec(text)?.[1] ?? name;
  const body = text.replace(/^#.*$/gm, '').replace(/<!--[\s\S]*?-->/g, '');
  const first = /\S[\s\S]*?(?=[.:](?:\s|$)|\n\n|$)/.exec(body)?.[0] ?? title;
  return pageOf(MORE, [path, name, title, first.replace(/\s+/g, ' ').slice(0, 160)]);
}

/**
 * All existing pages; a published package has fewer documents than the repository.
 * @param generated pages generated from the code; each precedes the files of its section
 */
export function docPages(generated: readonly GeneratedPage[] = []): DocPage[] {
  const listed = Object.entries(FILES).flatMap(([section, entries]) =>
    entries.filter(([path]) => existsSync(inPackage(path))).map((entry) => pageOf(section as Section, entry)),
  );
  const known = new Set(listed.map(({ path }) => path));
  const folder = inPackage('docs');
  const files = existsSync(folder) ? readdirSync(folder) : []; // an image of the server may have none
  const others = files
    .filter((file) => file.endsWith('.md') && !known.has(`docs/${file}`))
    .map((file) => unlisted(`docs/${file}`));
  const all = [...generated.map((page) => ({ ...page, path: null })), ...listed, ...others];
  const place = (page: DocPage): number => SECTIONS.indexOf(page.section);
  return all.sort((a, b) => place(a) - place(b)); // stable: within a section as listed
}

/** The exact name of the page that has this name in any case, including `index`. */
export function pageNamed(pages: readonly DocPage[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return [INDEX, ...pages.map((page) => page.name)].find((it) => it.toLowerCase() === wanted);
}
