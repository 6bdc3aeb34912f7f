/** The deployment files and the documents name only options, routes and metrics that exist. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { buildProgram } from '../../src/cli.js';
import { envOf, flagOf, OPTION_NAMES } from '../../src/config.js';
import { inPackage } from '../../src/paths.js';
import { documents, prometheusMetrics, readDocument } from './blocks.js';

const deployFiles = (readdirSync(inPackage('deploy'), { recursive: true }) as string[])
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => /[^/]+(\.\w+$|file$)/i.test(name));
const read = (name: string): string => readFileSync(inPackage('deploy', name), 'utf8');

/** A command and those below it. */
const commandsOf = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsOf)];

const everything: [string, string][] = [
  ...deployFiles.map((name): [string, string] => [`deploy/${name}`, read(name)]),
  ...documents().map((path): [string, string] => [path, readDocument(path)]),
];

/** Flags of the examples, the benchmarks and other programs. */
const OTHER_FLAGS = /^(file|fast|text|speed|max-wer|json|url|connections|duration|help|version)$/;

describe('deployment files and documents', () => {
  it('name only environment variables that exist', () => {
    const known = new Set<string>(OPTION_NAMES.map(envOf));
    for (const [path, text] of everything)
      for (const [variable] of text.matchAll(/\bRNNT_SERVER_[A-Z_]+\b/g))
        assert.ok(known.has(variable), `${path}: ${variable}`);
  });

  it('name only options that exist', () => {
    const commands = commandsOf(buildProgram(() => {}));
    const known = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long?.slice(2))));
    assert.ok(OPTION_NAMES.every((name) => known.has(flagOf(name))));
    for (const [path, text] of everything.filter(([path]) => path.endsWith('.md'))) {
      for (const [, flag = ''] of text.matchAll(/`--([a-z][a-z-]+)(?: [^`]*)?`/g)) {
        if (OTHER_FLAGS.test(flag) || flag.endsWith('-')) continue;
        assert.ok(known.has(flag), `${path}: --${flag}`);
      }
    }
  });

  it('put into the images whatever folder the server serves', () => {
    const images = deployFiles.filter((name) => /^Dockerfile/.test(name));
    assert.ok(images.length >= 2);
    for (const image of images)
      for (const folder of ['static', 'examples', 'docs', 'models'])
        assert.match(read(image), new RegExp(`^COPY .*/${folder} ./${folder}$`, 'm'), image);
  });

  it('name only metrics that exist', () => {
    const known = new Set(
      prometheusMetrics().flatMap(({ name, type }) =>
        type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    assert.ok(known.size >= 20);
    for (const [path, text] of everything)
      for (const [metric] of text.matchAll(/\brnnt_(?!client\b)[a-z0-9_]+\b/g))
        assert.ok(known.has(metric), `${path}: ${metric}`);
  });

  it('name only health routes that exist', () => {
    const routes = readFileSync(inPackage('src', 'server', 'routes.ts'), 'utf8');
    for (const [path, text] of everything)
      for (const [route] of text.matchAll(/\/health(\/[a-z]+)?\b/g))
        assert.ok(routes.includes(`'${route}'`), `${path}: ${route}`);
  });

  it('are YAML and JSON where they say so', () => {
    for (const name of deployFiles) {
      if (name.endsWith('.json')) JSON.parse(read(name));
      if (!/\.ya?ml$/.test(name)) continue;
      for (const document of parseAllDocuments(read(name), { merge: true }))
        assert.deepEqual(document.errors, [], name);
    }
  });
});

describe('kubernetes.yaml', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a manifest has many shapes
  const manifests: any[] = parseAllDocuments(read('kubernetes.yaml')).map((document) => document.toJS());
  const pod = manifests.find(({ kind }) => kind === 'Deployment').spec.template.spec;

  it('gives preStop and the drain less time than the grace period', () => {
    const preStopS = Number(pod.containers[0].lifecycle.preStop.exec.command[1]);
    const drainS = 20; // the default of drainTimeout
    assert.ok(pod.terminationGracePeriodSeconds >= preStopS + drainS);
  });

  it('asks readiness and liveness at different routes, so that draining does not kill', () => {
    assert.equal(pod.containers[0].readinessProbe.httpGet.path, '/health/ready');
    assert.equal(pod.containers[0].livenessProbe.httpGet.path, '/health/live');
  });

  it('lets its objects find each other', () => {
    const labels = manifests.find(({ kind }) => kind === 'Deployment').spec.template.metadata.labels;
    for (const kind of ['Service', 'PodDisruptionBudget']) {
      const { selector } = manifests.find((manifest) => manifest.kind === kind).spec;
      assert.deepEqual(selector.matchLabels ?? selector, labels, kind);
    }
  });
});
