import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { RedisLink } from '../../src/cluster/link.js';
import { inPackage } from '../../src/paths.js';
import { makeCertificate, type TestCertificate } from '../helpers/certificate.js';
import { addressOfRedis, skipWithoutRedis, TestRedis, until } from '../helpers/redis.js';
import { runProgram } from '../helpers/run-program.js';

const certificate = makeCertificate();
const skip = skipWithoutRedis || (certificate === null && 'openssl is not installed');

/** What a process says that trusts the certificates of NODE_EXTRA_CA_CERTS. */
const asksByTls = (url: string) => `
  const { RedisLink } = await import(${JSON.stringify(pathToFileURL(inPackage('dist/src/cluster/link.js')).href)});
  const { redisAddressOf } = await import(${JSON.stringify(pathToFileURL(inPackage('dist/src/option-schemas.js')).href)});
  const end = (text) => { console.log(text); process.exit(0); };
  const link = new RedisLink(redisAddressOf(${JSON.stringify(url)}), [], {
    up: async () => end(String(await link.send(['PING']))),
    down: ({ message }) => end(message),
  });
  link.open();
  setInterval(() => {}, 1000);
`;

describe('Redis over TLS', { skip, timeout: 60_000 }, () => {
  let redis: TestRedis;
  let url = '';
  before(async () => {
    const { tlsCert, tlsKey } = certificate as TestCertificate; // else skipped
    const files = ['--tls-cert-file', tlsCert, '--tls-key-file', tlsKey, '--tls-ca-cert-file', tlsCert];
    redis = await TestRedis.startTls(...files, '--tls-auth-clients', 'no');
    url = redis.url.replace('redis:', 'rediss:');
  });
  after(async () => {
    await redis?.stop();
    certificate?.remove();
  });

  test('a certificate that nobody vouches for is refused', async () => {
    const reasons: string[] = [];
    const link = new RedisLink(addressOfRedis(url), [], {
      up: () => reasons.push('up'),
      down: ({ message }) => reasons.push(message),
    });
    link.open();
    await until('it was tried', () => reasons.length > 0);
    link.close();
    assert.match(reasons[0] ?? '', /self-signed certificate/);
  });

  test('one that is trusted (NODE_EXTRA_CA_CERTS) is taken', async () => {
    const env = { NODE_EXTRA_CA_CERTS: (certificate as TestCertificate).tlsCert };
    const asked = await runProgram(process.execPath, ['--input-type=module', '-e', asksByTls(url)], env);
    assert.equal(asked.stdout.trim(), 'PONG', asked.stderr);
  });
});
