/** The options that `send` and `get` share. */
import { type Command, Option, type OptionValues } from 'commander';
import type { Durability } from '../index.js';
import type { CliContext } from './context.js';
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
  /** Of `get`; for `send` the wish that the server hears. */
  durability?: Durability;
  /** Bytes a second. */
  limitRate?: number;
  /** Measure where the time goes. */
  stats: boolean;
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
    ...durabilityOf(options['durability']),
    ...(typeof options['limitRate'] === 'number' ? { limitRate: options['limitRate'] } : {}),
    stats: options['stats'] === true,
  };
}

/** The options as they are for one server: the file may give a peer a rate of its own. */
export function forPeer(options: TransferOptions, { settings }: CliContext, host: string): TransferOptions {
  const { value } = settings.get('limit-rate', host);
  return typeof value === 'number' ? { ...options, limitRate: value } : options;
}

/** `dir` is `directory` in the library. */
function durabilityOf(level: unknown): { durability?: Durability } {
  if (level === undefined) return {};
  return { durability: level === 'dir' ? 'directory' : (level as Durability) };
}

/** The members that the library's `send` and `get` take. */
export function movingOptions({
  durability,
  limitRate,
  stats,
}: TransferOptions): Pick<TransferOptions, 'durability' | 'limitRate' | 'stats'> {
  return {
    ...(durability === undefined ? {} : { durability }),
    ...(limitRate === undefined ? {} : { limitRate }),
    stats,
  };
}
