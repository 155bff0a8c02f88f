/** The options that `send` and `get` share. */
import { type Command, Option, type OptionValues } from 'commander';
import type { Compression, Durability, Skip, TransferOptions as LibraryOptions } from '../index.js';
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
  /** What the library is told about blocks, connections and their ends, pace and disk. */
  moving: Pick<
    LibraryOptions,
    'resume' | 'delta' | 'skip' | 'connections' | 'reconnectMs' | 'durability' | 'limitRate' | 'stats'
  >;
  dryRun: boolean;
  progress: ProgressMode;
  compress: Compression;
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

/** A file that is skipped is not moved, and of what was not moved there is no receipt. */
function readSkip(options: OptionValues): Skip {
  if (options['receipt'] !== undefined) return 'never';
  // Whoever cares about names that are taken wants to hear of them.
  if (options['rename'] === true || options['clobber'] === false) return 'never';
  if (options['checksum'] === true) return 'checksum';
  return options['delta'] === 'auto' ? 'time' : 'never';
}

function readMoving(options: OptionValues): TransferOptions['moving'] {
  const delta = options['delta'] as 'auto' | 'always' | 'never';
  const connections = options['connections'] as number | undefined;
  const reconnect = options['reconnect'] as number | undefined;
  return {
    resume: options['resume'] !== false,
    delta: delta !== 'never',
    skip: readSkip(options),
    ...(reconnect === undefined ? {} : { reconnectMs: Math.ceil(reconnect * 1000) }),
    ...(connections === undefined ? {} : { connections }),
    ...durabilityOf(options['durability']),
    ...(typeof options['limitRate'] === 'number' ? { limitRate: options['limitRate'] } : {}),
    ...(options['stats'] === true ? { stats: true } : {}),
  };
}

/** `dir` is `directory` in the library. */
function durabilityOf(level: unknown): { durability?: Durability } {
  if (level === undefined) return {};
  return { durability: level === 'dir' ? 'directory' : (level as Durability) };
}

/** The options as they are for one server: the file may give a peer a rate of its own. */
export function forPeer(options: TransferOptions, { settings }: CliContext, host: string): TransferOptions {
  const { value } = settings.get('limit-rate', host);
  return typeof value === 'number' ? { ...options, moving: { ...options.moving, limitRate: value } } : options;
}

/** Reads them back. */
export function readTransferOptions(options: OptionValues): TransferOptions {
  return {
    overwrite: options['rename'] === true ? 'rename' : options['clobber'] === false ? 'refuse' : 'replace',
    preserve: options['preserve'] !== false,
    moving: readMoving(options),
    dryRun: options['dryRun'] === true,
    progress: options['progress'] as ProgressMode,
    compress: options['compress'] as Compression,
    ...(options['receipt'] === undefined ? {} : { receipt: options['receipt'] as string }),
  };
}
