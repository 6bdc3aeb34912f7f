/**
 * Reloads certificates and keys on SIGHUP. If a file cannot be read, the old content stays in force and the log says
 * so.
 */
import type { Server } from 'node:http';
import type { ServerContext } from './context.js';
import { reloadTls } from './tls.js';

/** Whether there is anything to reload. */
export const canReload = ({ config }: Pick<ServerContext, 'config'>): boolean =>
  config.tlsCert !== '' || config.keysFile !== '';

/** Never fails. Sessions whose key was removed end with UNAUTHORIZED, whatever their state. */
export async function reload(context: ServerContext, servers: readonly Server[]): Promise<void> {
  const { config, keyring, log, registry } = context;
  if (config.tlsCert !== '') {
    try {
      for (const server of servers) reloadTls(server, config);
      log.info('certificate reloaded');
    } catch (err) {
      log.error({ err }, 'the certificate cannot be read; the old one stays in use');
    }
  }
  if (config.keysFile === '') return;
  try {
    await keyring.reload();
  } catch (err) {
    log.error({ err }, 'the keys cannot be read; the old ones stay in use');
    return;
  }
  const closed = registry.closeWhere(({ key }) => !keyring.knows(key), 'UNAUTHORIZED');
  log.info({ keys: keyring.size, closed }, 'keys reloaded');
}
