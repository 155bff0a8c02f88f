/**
 * What a server needs before it can listen: its data directory, its identity, its root and the list of its clients.
 */
import { mkdir } from 'node:fs/promises';
import { E2eeftpError } from '../errors.js';
import { reason } from '../identity/atomic-file.js';
import { AuthorizedClients } from '../identity/authorized-clients.js';
import type { Identity } from '../identity/identity.js';
import { openServerData, serverDataPaths } from '../identity/server-data.js';
import { NativeStorage, nativeSync } from '../native.js';
import { Admission } from './admission.js';
import type { EventHub } from './event-hub.js';
import { refuseExposedPaths } from './exposed-paths.js';
import type { ResolvedOptions } from './options.js';

/** What {@link prepareServer} makes. */
export interface Prepared {
  readonly identity: Identity;
  /** Statements that lead to its key; `null` when there are none. */
  readonly rotation: string | null;
  readonly root: NativeStorage;
  readonly admission: Admission;
  /** `null` when a function decides. */
  readonly clients: AuthorizedClients | null;
}

/** Opens or makes all of it; see `Server.prepare` for what it throws. */
export async function prepareServer(options: ResolvedOptions, events: EventHub): Promise<Prepared> {
  const { dataDir, root, authorizedClients, readOnly, logger, passphrase, hookTimeoutMs } = options;
  let { identity } = options;
  let rotation: string | null = null;
  await refuseExposedPaths(root, [
    ...(identity === null ? [dataDir, serverDataPaths(dataDir).key] : []),
    ...(typeof authorizedClients === 'string' ? [authorizedClients] : []),
  ]);
  if (identity === null) {
    const data = await openServerData(dataDir, passphrase);
    for (const message of data.warnings) events.warning({ message });
    if (data.created) logger.info({ file: data.paths.key }, 'made a new server identity');
    ({ identity, rotation } = data);
  }
  await mkdir(root, { recursive: true }).catch((error: unknown) => {
    throw new E2eeftpError('E2EEFTP_IO', `cannot create ${root}: ${reason(error)}`, { cause: error });
  });
  const storage = nativeSync(() => NativeStorage.open(root));
  const clients =
    typeof authorizedClients === 'string'
      ? new AuthorizedClients(authorizedClients, ({ line, message }) =>
          events.warning({ message, file: authorizedClients, ...(line > 0 ? { line } : {}) }),
        )
      : null;
  await clients?.refresh();
  const judge = typeof authorizedClients === 'function' ? authorizedClients : (clients ?? (() => null));
  return { identity, rotation, root: storage, admission: new Admission(judge, readOnly, hookTimeoutMs), clients };
}
