/** Loads the settings of a verb: reads the file that belongs to it. */
import type { Command } from 'commander';
import { clientConfigPath, readConfig, serverConfigPath } from './read-config.js';
import { E2eeftpError } from '../../index.js';
import type { ConfigFile, ConfigKind } from './config-file.js';
import { Settings } from './settings.js';

/** Whose settings a verb has; `none` for one that has to work whatever is in the files. */
export type VerbConfig = ConfigKind | 'none';

/** Where the file of a run is, and whether somebody named it. */
export function configPath(
  command: Command,
  env: NodeJS.ProcessEnv,
  kind: ConfigKind,
): { path: string; named: boolean } {
  const settings = new Settings({ command, env, kind });
  const named = settings.get('config').value as string | undefined;
  if (named !== undefined) return { path: named, named: true };
  if (kind === 'client') return { path: clientConfigPath(env), named: false };
  return { path: serverConfigPath(env, settings.get('data').value as string | undefined), named: false };
}

/**
 * The settings of one run.
 * @param warn is told what is unwise about the file.
 * @throws E2eeftpError `E2EEFTP_CONFIG`, or an AggregateError of such; `E2EEFTP_INVALID_ARGUMENT` for a bad environment
 * variable.
 */
export async function loadSettings(
  command: Command,
  env: NodeJS.ProcessEnv,
  config: VerbConfig,
  warn: (line: string) => void,
): Promise<Settings> {
  const kind = config === 'none' ? 'client' : config;
  if (config === 'none') return new Settings({ command, env, kind });
  const { path, named } = configPath(command, env, kind);
  const file = await readConfig(path, { kind, optional: !named, warn });
  if (kind === 'server' && !named && file !== undefined) checkDataDirectory(file);
  return new Settings({ command, env, kind, file });
}

/** A file that was found in a data directory can't say that the data directory is another. */
function checkDataDirectory(file: ConfigFile): void {
  const origin = file.values.get('data')?.origin;
  if (origin === undefined) return;
  throw new E2eeftpError(
    'E2EEFTP_CONFIG',
    `${file.path}:${origin.line}: 'data' can't be set in the data directory itself`,
    {
      hint: 'take the line out, or keep the file elsewhere and name it with --config',
    },
  );
}
