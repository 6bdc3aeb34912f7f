import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inPackage } from '../../src/paths.js';

const index = readFileSync(inPackage('examples', 'README.md'), 'utf8');

test('the index names every example', () => {
  for (const entry of readdirSync(inPackage('examples'))) {
    if (entry === 'README.md') continue;
    assert.ok(index.includes(entry), `examples/README.md does not name ${entry}`);
  }
});

test('simple-client.html stays about 50 lines', () => {
  const lines = readFileSync(inPackage('examples', 'simple-client.html'), 'utf8').split('\n').length;
  assert.ok(lines <= 60, `${lines} lines`);
});

test('the examples pin the versions that the tests run with', () => {
  const example = JSON.parse(readFileSync(inPackage('examples/backend/express/package.json'), 'utf8'));
  for (const name of ['express', 'ws']) {
    const manifest = inPackage('node_modules', name, 'package.json');
    assert.ok(existsSync(manifest));
    assert.equal(example.dependencies[name], JSON.parse(readFileSync(manifest, 'utf8')).version, name);
  }
});
