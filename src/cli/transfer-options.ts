/** The options that `send` and `get` share. */
import { type Command, Option, type OptionValues } from 'commander';
import { addSettings } from './settings/options.js';
import { settingsOfVerb } from './settings/table.js';

/** How progress is shown; `auto` is a bar on a terminal and a line each 5 s elsewhere. */
export type ProgressMode = 'auto' | 'bar' | 'plain' | 'json' | 'none';

/** The resolved options of a transfer. */
export interface TransferOptions {
  /** What happens to a name that is taken. */
  overwrite: 'replace' | 'refuse' | 'rename';
  /** Keep modification time and permission bits. */
  preserve: boolean;
  dryRun: boolean;
  progress: ProgressMode;
  /** Where the receipt is written. */
  receipt?: string;
}

/** Adds them to a verb. */
export function addTransferOptions(command: Command): Command {
  command
    .optionsGroup('Transfer options:')
    .addOption(
      new Option('--overwrite', 'replace what has the name, atomically (default)').conflicts(['clobber', 'rename']),
    )
    .addOption(new Option('--no-clobber', 'fail when the name is taken').conflicts(['overwrite', 'rename']))
    .addOption(new Option('--rename', 'take a free name, "name (1).ext"').conflicts(['overwrite', 'clobber']))
    .option('--receipt <file>', 'have both sides sign a receipt of the one file, and write it here')
    .option('-n, --dry-run', 'look and say what would be done; change nothing');
  return addSettings(command, settingsOfVerb(command.name()));
}

/** Reads them back. */
export function readTransferOptions(options: OptionValues): TransferOptions {
  return {
    overwrite: options['rename'] === true ? 'rename' : options['clobber'] === false ? 'refuse' : 'replace',
    preserve: options['preserve'] !== false,
    dryRun: options['dryRun'] === true,
    progress: options['progress'] as ProgressMode,
    ...(options['receipt'] === undefined ? {} : { receipt: options['receipt'] as string }),
  };
}
