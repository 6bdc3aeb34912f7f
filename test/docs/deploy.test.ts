/** The deployment files and the documents name only options, routes and metrics that exist. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Command } from 'commander';
import { parse, parseAllDocuments } from 'yaml';
import { buildProgram } from '../../src/cli.js';
import { envOf, flagOf, OPTION_NAMES, OPTIONS } from '../../src/config.js';
import { redisAddressOf } from '../../src/option-schemas.js';
import { inPackage } from '../../src/paths.js';
import { lacksModules, python } from '../helpers/python.js';
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

// biome-ignore lint/suspicious/noExplicitAny: manifests and services have many shapes
type Any = any;
const DRAIN_S = OPTIONS.drainTimeout.initial;

describe('kubernetes.yaml', () => {
  const text = read('kubernetes.yaml');
  const manifests: Any[] = parseAllDocuments(text).map((document) => document.toJS());
  const named = (kind: string, name = 'rnnt-server') =>
    manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name) ??
    assert.fail(`${kind} ${name}`);
  const { replicas, template } = named('Deployment').spec;
  const pod = template.spec;
  const [server] = pod.containers;
  const redis = named('StatefulSet', 'rnnt-redis').spec.template;

  it('gives preStop and the drain less time than the grace period', () => {
    const preStopS = Number(server.lifecycle.preStop.exec.command[1]);
    assert.ok(pod.terminationGracePeriodSeconds >= preStopS + DRAIN_S + 5);
  });

  it('asks readiness and liveness at different routes, so that draining does not kill', () => {
    assert.equal(server.readinessProbe.httpGet.path, '/health/ready');
    assert.equal(server.livenessProbe.httpGet.path, '/health/live');
  });

  it('lets its objects find each other', () => {
    const { labels } = template.metadata;
    for (const kind of ['Deployment', 'Service', 'PodDisruptionBudget']) {
      const { selector } = named(kind).spec;
      assert.deepEqual(selector.matchLabels ?? selector, labels, kind);
    }
    const { spec } = named('NetworkPolicy', 'rnnt-redis');
    assert.deepEqual(spec.podSelector.matchLabels, redis.metadata.labels);
    assert.deepEqual(spec.ingress[0].from[0].podSelector.matchLabels, labels);
    assert.deepEqual(named('Service', 'rnnt-redis').spec.selector, redis.metadata.labels);
  });

  it('takes one server away at a time, of several on different machines', () => {
    assert.ok(replicas >= 3);
    assert.equal(named('PodDisruptionBudget').spec.maxUnavailable, 1);
    assert.equal(named('Deployment').spec.strategy.rollingUpdate.maxUnavailable, 0);
    for (const { labelSelector } of pod.topologySpreadConstraints)
      assert.deepEqual(labelSelector.matchLabels, template.metadata.labels);
    assert.deepEqual(
      pod.topologySpreadConstraints.map(({ topologyKey }: Any) => topologyKey),
      ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'],
    );
  });

  it('makes a fleet, with no client tied to a server', () => {
    const variables = server.env.map(({ name }: Any) => name);
    for (const name of ['cluster', 'tokenSecret', 'advertise'] as const)
      assert.ok(variables.includes(envOf(name)), name);
    assert.equal(named('Service').spec.sessionAffinity, 'None');
  });

  it('holds no secret, and its first lines make each that is asked for', () => {
    assert.ok(!manifests.some(({ kind }) => kind === 'Secret'));
    const made = [...text.matchAll(/--from-(?:literal|file)=([\w-]+)=/g)].map(([, key]) => key);
    const asked = [...server.env, ...redis.spec.containers[0].env].flatMap(
      ({ valueFrom }: Any) => valueFrom?.secretKeyRef?.key ?? [],
    );
    for (const key of [...asked, ...pod.volumes[0].secret.items.map(({ key }: Any) => key)])
      assert.ok(made.includes(key), key);
    const address = /--from-literal=cluster="([^"]+)"/.exec(text)?.[1]?.replace('$PASSWORD', 'secret');
    assert.deepEqual(redisAddressOf(address ?? ''), {
      tls: false,
      host: 'rnnt-redis',
      port: named('Service', 'rnnt-redis').spec.ports[0].port,
      username: '',
      password: 'secret',
      database: 0,
    });
  });

  it('its Redis throws nothing away, and has room beyond its bound', () => {
    const [container] = redis.spec.containers;
    const command = container.command.join(' ');
    assert.match(command, /--maxmemory-policy noeviction/);
    assert.ok(Number(/--maxmemory (\d+)mb/.exec(command)?.[1]) < 1024);
    assert.equal(container.resources.limits.memory, '1Gi');
  });

  const noSchemas = lacksModules(['kubernetes_validate'], 'pip install -r test/docs/requirements.txt');
  for (const version of ['1.30', '1.37']) {
    it(`has only fields that Kubernetes ${version} knows`, { skip: noSchemas }, () => {
      const args = [
        '-m',
        'kubernetes_validate',
        '--strict',
        '-k',
        version,
        inPackage('deploy/kubernetes.yaml'),
      ];
      const { status, stdout, stderr } = spawnSync(python, args, { encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      assert.equal(stdout.split(' passed ').length - 1, manifests.length, stdout);
    });
  }
});

describe('docker-compose.yml', () => {
  const { services, networks } = parse(read('docker-compose.yml'), { merge: true }) as Record<string, Any>;
  const servers = Object.keys(services).filter((name) => name.startsWith('speech-'));

  it('has the servers that nginx.conf and prometheus.yml name', () => {
    const addresses = servers.map((name) => `${name}:8000`);
    assert.ok(servers.length >= 3);
    assert.deepEqual(read('nginx.conf').match(/(?<=^ {4}server )speech-\d:8000/gm), addresses);
    const [job] = parse(read('prometheus.yml')).scrape_configs;
    assert.deepEqual(job.static_configs[0].targets, addresses);
    for (const name of servers) assert.equal(services[name].environment[envOf('advertise')], `${name}:8000`);
  });

  it('makes them a fleet, whose Redis nobody else reaches', () => {
    for (const name of servers) {
      const address = redisAddressOf(services[name].environment[envOf('cluster')]);
      assert.equal(address?.host, 'redis');
      assert.ok(services[name].networks.includes('fleet'));
    }
    assert.equal(services.redis.ports, undefined);
    assert.deepEqual(services.redis.networks, ['fleet']);
    assert.equal(networks.fleet.internal, true);
    assert.match(services.redis.command.join(' '), /--maxmemory-policy noeviction/);
  });

  it('gives a server more time to stop than its drain may take', () => {
    for (const name of servers)
      assert.ok(Number.parseInt(services[name].stop_grace_period, 10) > DRAIN_S + 5);
  });
});

describe('rnnt-server.service', () => {
  const unit = read('rnnt-server.service');

  it('gives the server more time to stop than its drain may take', () => {
    assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > DRAIN_S + 5);
  });

  const none = spawnSync('systemd-analyze', ['--version']).status !== 0 && 'systemd-analyze is not installed';
  it('is right for systemd-analyze verify', { skip: none }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'rnnt-unit-'));
    try {
      const file = join(folder, 'rnnt-server.service');
      writeFileSync(file, unit.replace('/usr/bin/node', process.execPath)); // which must be there
      const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
      const own = (stdout + stderr).split('\n').filter((line) => line.includes('rnnt-server.service:'));
      assert.deepEqual(own, []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
