/** The files that the forge reads: a mistake in them shows only after they are pushed. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { inPackage } from '../../src/paths.js';

const read = (...path: string[]): string => readFileSync(inPackage('.github', ...path), 'utf8');

// The package has no .github, a checkout does.
describe(
  'the files of the forge',
  { skip: !existsSync(inPackage('.github')) && 'there are none here' },
  () => {
    it('run .ci/run on the oldest and a newer major version of Node', () => {
      const { jobs } = parse(read('workflows', 'ci.yml')) as {
        jobs: {
          check: { strategy: { matrix: { node: string[] } }; steps: { run?: string }[]; container: string };
        };
      };
      const { engines } = JSON.parse(readFileSync(inPackage('package.json'), 'utf8')) as {
        engines: { node: string };
      };
      const oldest = /\d+/.exec(engines.node)?.[0];
      const { node } = jobs.check.strategy.matrix;
      assert.equal(node[0], oldest);
      assert.ok(node.length >= 2);
      assert.equal(jobs.check.steps.at(-1)?.run, '.ci/run');
      assert.ok((statSync(inPackage('.ci', 'run')).mode & 0o111) !== 0);
    });

    it('have forms for issues with a name, a description and labelled fields', () => {
      const forms = readdirSync(inPackage('.github', 'ISSUE_TEMPLATE')).filter(
        (name) => name !== 'config.yml',
      );
      assert.ok(forms.length >= 2);
      for (const name of forms) {
        const form = parse(read('ISSUE_TEMPLATE', name)) as {
          name: string;
          description: string;
          body: { type: string; id: string; attributes: { label: string } }[];
        };
        assert.ok(form.name.length > 0 && form.description.length > 0, name);
        assert.ok(
          form.body.length > 0 && form.body.every(({ id, attributes }) => id && attributes.label),
          name,
        );
      }
    });

    it('remind who opens a pull request of the rules', () => {
      const template = read('pull_request_template.md');
      for (const word of ['.ci/run', '72 characters', 'CHANGELOG.md', 'npm run docs'])
        assert.ok(template.includes(word), word);
    });
  },
);

describe('documents', () => {
  it('name packages by their coordinates, not by the address of a registry', () => {
    const registries = /repo1\.maven\.org|registry\.npmjs\.org|pypi\.org\/simple|files\.pythonhosted\.org/;
    const folders = ['.', 'docs', 'training', 'examples', 'benchmarks', 'benchmarks/accuracy', 'deploy'];
    const paths = folders.flatMap((folder) =>
      readdirSync(inPackage(folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${folder}/${name}`),
    );
    assert.ok(paths.length > 12);
    for (const path of paths) assert.doesNotMatch(readFileSync(inPackage(path), 'utf8'), registries, path);
  });
});
