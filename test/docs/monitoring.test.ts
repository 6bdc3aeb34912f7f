/** What Prometheus itself says of its configuration and of the alerts. Skipped where promtool is not installed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse, stringify } from 'yaml';
import { inPackage } from '../../src/paths.js';
import { startScriptedServer } from '../helpers/scripted-server.js';

const promtool = process.env.PROMTOOL ?? 'promtool';
const skip =
  spawnSync(promtool, ['--version']).status === 0
    ? false
    : 'promtool (Debian package prometheus) is not installed';

const folder = mkdtempSync(join(tmpdir(), 'rnnt-alerts-'));
after(() => rmSync(folder, { recursive: true }));
for (const name of ['alerts.yml', 'prometheus.yml']) {
  copyFileSync(inPackage('deploy', name), join(folder, name));
}
const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
};

interface Rule {
  readonly alert: string;
  readonly annotations: { readonly summary: string };
}
const alerts = parse(readFileSync(inPackage('deploy/alerts.yml'), 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = alerts.groups.flatMap((group) => group.rules);

/** Values of three servers, one for each minute; `stale`: nothing is scraped any more. */
type Series = Record<string, readonly string[]>;

/**
 * Whether an alert fires after so many minutes.
 * @param instances those that it names; [null]: it fires for the fleet as a whole
 */
function fires(series: Series, minutes: number, alert: string, instances: readonly (string | null)[]): void {
  const rule = rules.find((each) => each.alert === alert) ?? assert.fail(alert);
  const input_series = Object.entries(series).flatMap(([metric, values]) =>
    values.map((text, i) => ({
      series: `${metric}{job="rnnt-server",instance="speech-${i + 1}:8000"}`,
      values: text,
    })),
  );
  const exp_alerts = instances.map((instance) => ({
    exp_labels: { job: 'rnnt-server', ...(instance === null ? {} : { instance }) },
    exp_annotations: { summary: rule.annotations.summary.replace('{{ $labels.instance }}', instance ?? '') },
  }));
  const alert_rule_test = [{ eval_time: `${minutes}m`, alertname: alert, exp_alerts }];
  const tests = [{ interval: '1m', input_series, alert_rule_test }];
  writeFileSync(join(folder, 'test.yml'), stringify({ rule_files: ['alerts.yml'], tests }));
  run('test', 'rules', 'test.yml');
}

describe('prometheus.yml and alerts.yml', { skip }, () => {
  it('are right for promtool', () => {
    run('check', 'config', 'prometheus.yml');
    run('check', 'rules', 'alerts.yml');
  });

  it('/metrics is what Prometheus expects', async () => {
    const server = await startScriptedServer();
    try {
      const input = await (await fetch(`${server.http}/metrics`)).text();
      const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
        input,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stdout + stderr);
    } finally {
      await server.stop();
    }
  });
});

describe('alerts of a fleet', { skip }, () => {
  const well: Series = {
    rnnt_cluster_available: ['1x120', '1x120', '1x120'],
    rnnt_cluster_nodes: ['3x120', '3x120', '3x120'],
    rnnt_streams: ['100x120', '100x120', '100x120'],
    rnnt_capacity_streams: ['240x120', '240x120', '240x120'],
  };
  const ALERTS = ['SpeechFleetAway', 'SpeechFleetServerLost', 'SpeechFleetApart', 'SpeechFleetNoSpareServer'];

  it('none fires while all is well', () => {
    for (const alert of ALERTS) fires(well, 90, alert, []);
  });

  it('none fires for servers without a fleet', () => {
    const alone = { rnnt_streams: ['200x120', '200x120'], rnnt_capacity_streams: ['240x120', '240x120'] };
    for (const alert of ALERTS) fires(alone, 90, alert, []);
  });

  it('a server without Redis is named', () => {
    const away = { ...well, rnnt_cluster_available: ['1x120', '1x10 0x110', '1x120'] };
    fires(away, 20, 'SpeechFleetAway', ['speech-2:8000']);
  });

  it('a server that is gone is missed, until an hour has passed', () => {
    const lost = { ...well, rnnt_cluster_nodes: ['3x10 2x110', '3x10 2x110', '3x10 stale'] };
    fires(lost, 12, 'SpeechFleetServerLost', []);
    fires(lost, 20, 'SpeechFleetServerLost', [null]);
    fires(lost, 80, 'SpeechFleetServerLost', []);
  });

  it('servers that do not see each other are told apart from those without Redis', () => {
    const apart = { ...well, rnnt_cluster_nodes: ['2x120', '2x120', '1x120'] };
    fires(apart, 20, 'SpeechFleetApart', [null]);
    fires({ ...apart, rnnt_cluster_available: ['1x120', '1x120', '0x120'] }, 20, 'SpeechFleetApart', []);
  });

  it('more streams than all but the largest server hold', () => {
    fires({ ...well, rnnt_streams: ['170x120', '170x120', '170x120'] }, 20, 'SpeechFleetNoSpareServer', [
      null,
    ]);
  });
});
