/** The options about directories that `send`, `get` and `sync` share. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import type { Command, OptionValues } from 'commander';
import { E2eeftpError, type FilterRule, pathFromBytes, pathToBytes, type TreeLinks } from '../index.js';

/** What is chosen of a directory, and how it is compared. */
export interface TreeChoices {
  delete: boolean;
  checksum: boolean;
  links: TreeLinks;
  filter: readonly FilterRule[];
  /** `null`: everything. */
  paths: readonly string[] | null;
}

/** Adds them to a verb. */
export function addTreeOptions(command: Command): Command {
  // One list for both options: the first rule that matches decides, so their order counts.
  const rules: FilterRule[] = [];
  const collect =
    (action: FilterRule['action']) =>
    (pattern: string): readonly FilterRule[] => {
      if (pattern === '' || pattern === '/') throw new InvalidArgumentError('It is empty.');
      rules.push({ action, pattern });
      return rules;
    };
  return command
    .optionsGroup('Directory options:')
    .option('-r, --recursive', 'directories with all that is in them (always so; for habit)')
    .addOption(new Option('--include <glob>', 'take what matches, as rsync does').argParser(collect('include')))
    .addOption(new Option('--exclude <glob>', 'leave out what matches, as rsync does').argParser(collect('exclude')))
    .option('--files-from <file>', "only the paths in this file, one a line; '-' is standard input")
    .option('-0, --null', 'the paths of --files-from end with a NUL byte')
    .addOption(
      new Option('--links <policy>', 'symbolic links: those that stay inside, all, what they lead to, or none')
        .choices(['safe', 'copy', 'follow', 'skip'])
        .default('safe'),
    );
}

/** Reads them back. */
export async function readTreeOptions(options: OptionValues): Promise<TreeChoices> {
  const from = options['filesFrom'] as string | undefined;
  if (from === undefined && options['null'] === true) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '-0 is for --files-from', { hint: 'add --files-from FILE' });
  }
  const isDeleting = options['delete'] === true;
  if (from !== undefined && isDeleting) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '--files-from does not tell what to delete', {
      hint: 'leave out --delete, or choose with --include and --exclude',
    });
  }
  return {
    delete: isDeleting,
    checksum: options['checksum'] === true,
    links: options['links'] as TreeLinks,
    filter: (options['include'] ?? options['exclude'] ?? []) as readonly FilterRule[],
    paths: from === undefined ? null : await readPaths(from, options['null'] === true ? 0 : 0x0a),
  };
}

/** Whether one of them was given that makes sense for directories only. */
export function namesTreeOption(choices: TreeChoices): boolean {
  return choices.filter.length > 0 || choices.paths !== null;
}

async function readPaths(file: string, end: number): Promise<string[]> {
  const bytes = file === '-' ? await readStandardInput() : await readFile(pathToBytes(file));
  const paths: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(end, start);
    const stop = found < 0 ? bytes.length : found;
    if (stop > start) paths.push(pathFromBytes(bytes.subarray(start, stop)));
    start = stop + 1;
  }
  return paths;
}

async function readStandardInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
