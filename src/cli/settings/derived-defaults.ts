/** The defaults that depend on where a run takes place: what a verb does when nobody gives the setting. */
import { join, resolve } from 'node:path';
import { clientDirectory, serverDataPaths, serverDirectory } from '../../index.js';
import { parseListenAddress } from '../listen-address.js';
import type { Settings } from './settings.js';

/** Values by key; none for a setting whose default is always the same, or nothing. */
export function derivedDefaults(settings: Settings, env: NodeJS.ProcessEnv): ReadonlyMap<string, unknown> {
  if (settings.kind === 'client') return new Map([['identity', [join(clientDirectory(env), 'client_id.key')]]]);
  const data = resolve((settings.get('data').value as string | undefined) ?? serverDirectory(env));
  const { files, authorizedClients } = serverDataPaths(data);
  return new Map<string, unknown>([
    ['data', data],
    ['root', files],
    ['authorized', authorizedClients],
    ['listen', [parseListenAddress(`127.0.0.1:${String(settings.get('port').value)}`)]],
  ]);
}
