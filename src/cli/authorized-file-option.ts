/** Which `authorized_clients.pub` a verb works on: `--authorized FILE`, or the one in `--data DIR`. */
import type { Command, OptionValues } from 'commander';
import { serverDataPaths, serverDirectory } from '../index.js';
import { addSettings } from './settings/options.js';
import { settingsOfVerb } from './settings/table.js';

/** Adds the two options to a verb. */
export function addAuthorizedFileOptions(command: Command): Command {
  addSettings(command, settingsOfVerb(command.name()));
  command.options.find((option) => option.attributeName() === 'data')?.conflicts('authorized');
  return command;
}

/** The path that they mean. */
export function authorizedFile(options: OptionValues, env: NodeJS.ProcessEnv): string {
  const file = options['authorized'] as string | undefined;
  const dataDir = options['data'] as string | undefined;
  return file ?? serverDataPaths(dataDir ?? serverDirectory(env)).authorizedClients;
}
