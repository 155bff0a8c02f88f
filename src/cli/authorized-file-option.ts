/** Which `authorized_clients.pub` a verb works on: `--authorized FILE`, or the one in `--data DIR`. */
import { type Command, Option, type OptionValues } from 'commander';
import { serverDataPaths, serverDirectory } from '../index.js';

/** Adds the two options to a verb. */
export function addAuthorizedFileOptions(command: Command): Command {
  return command
    .addOption(new Option('--data <dir>', "the server's data directory").conflicts('authorized'))
    .option('--authorized <file>', 'the file itself');
}

/** The path that they mean. */
export function authorizedFile(options: OptionValues, env: NodeJS.ProcessEnv): string {
  const file = options['authorized'] as string | undefined;
  const dataDir = options['data'] as string | undefined;
  return file ?? serverDataPaths(dataDir ?? serverDirectory(env)).authorizedClients;
}
