/** A self-signed certificate for localhost, made by openssl; null where there is none. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  /** Paths of PEM files. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  remove(): void;
}

export function makeCertificate(name = 'localhost'): TestCertificate | null {
  const folder = mkdtempSync(join(tmpdir(), 'rnnt-tls-'));
  const [tlsCert, tlsKey] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', tlsKey];
  const made = spawnSync('openssl', ['req', '-x509', '-days', '2', ...key, ...subject, '-out', tlsCert]);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (made.status === 0) return { tlsCert, tlsKey, remove };
  remove();
  return null;
}
