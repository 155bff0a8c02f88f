/** Which `authorized_clients.pub` a verb works on: `--authorized FILE`, or the one in `--data DIR`. */
import { join } from 'node:path';
import { type Command, Option, type OptionValues } from 'commander';
import { serverDirectory } from '../index.js';

/** Name of the file in the server's data directory. */
export const AUTHORIZED_CLIENTS = 'authorized_clients.pub';

/** Adds the two options to a verb. */
export function addAuthorizedFileOptions(command: Command): Command {
  return command
    .addOption(new Option('--data <dir>', "the server's data directory").conflicts('authorized'))
    .option('--authorized <file>', 'the file itself');
}

/** The path that they mean. */
export function authorizedFile(options: OptionValues, env: NodeJS.ProcessEnv): string {
  const file = options['authorized'] as string | undefined;
  return file ?? join((options['data'] as string | undefined) ?? serverDirectory(env), AUTHORIZED_CLIENTS);
}
