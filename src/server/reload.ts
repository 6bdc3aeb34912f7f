/** What is read again on SIGHUP: certificates and keys. What cannot be read leaves the old in force, and the log says so. */
import type { Server } from 'node:http';
import type { ServerContext } from './context.js';
import { reloadTls } from './tls.js';

/** Whether there is anything to read again. */
export const canReload = ({ config }: Pick<ServerContext, 'config'>): boolean =>
  config.tlsCert !== '' || config.keysFile !== '';

/** Never fails. Sessions whose key is gone end with UNAUTHORIZED, whatever they do. */
export async function reload(context: ServerContext, servers: readonly Server[]): Promise<void> {
  const { config, keyring, log, registry } = context;
  if (config.tlsCert !== '') {
    try {
      for (const server of servers) reloadTls(server, config);
      log.info('certificate read again');
    } catch (err) {
      log.error({ err }, 'the certificate cannot be read; the old one goes on');
    }
  }
  if (config.keysFile === '') return;
  try {
    await keyring.reload();
  } catch (err) {
    log.error({ err }, 'the keys cannot be read; the old ones go on');
    return;
  }
  const closed = registry.closeWhere(({ key }) => !keyring.knows(key), 'UNAUTHORIZED');
  log.info({ keys: keyring.size, closed }, 'keys read again');
}
