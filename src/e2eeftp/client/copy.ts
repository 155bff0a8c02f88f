/**
 * Moving and copying on the server, without a byte of content on the wire.
 */
import { E2eeftpError } from '../../errors.js';
import { pathToBytes } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import type { Channel } from './channel.js';
import type { Reply } from './reply.js';
import { trackWork } from './work-progress.js';
import type { WorkOptions } from './work-progress.js';

/** Options of `client.move`. */
export interface MoveOptions {
  /** Whether a file or link that has the new name is replaced; a directory never is. @default 'replace' */
  readonly overwrite?: 'replace' | 'refuse';
  readonly signal?: AbortSignal;
}

/** Options of `client.copy`. */
export interface CopyOptions extends WorkOptions {
  /** Whether files that have the new names are replaced; directories are merged into. @default 'replace' */
  readonly overwrite?: 'replace' | 'refuse';
  /** Copy a directory with all that is in it. @default false */
  readonly recursive?: boolean;
}

/** What a copy has made. */
export interface CopyResult {
  readonly files: number;
  /** Directories that were not there before. */
  readonly directories: number;
  /** Symbolic links, copied as links. */
  readonly links: number;
  /** Length of the files together. */
  readonly bytes: number;
  /** Duration of the call. */
  readonly seconds: number;
}

/** Gives a name another one; see `Client.move`. */
export async function moveName(channel: Channel, from: string, to: string, options: MoveOptions): Promise<void> {
  const overwrite = checkOverwrite(options.overwrite);
  const args = { from: pathToBytes(from), to: pathToBytes(to), overwrite };
  await channel.request('MOVE', args, { signal: options.signal });
}

/** Copies; see `Client.copy`. */
export async function copyName(channel: Channel, from: string, to: string, options: CopyOptions): Promise<CopyResult> {
  const started = performance.now();
  const { recursive = false } = options;
  const overwrite = checkOverwrite(options.overwrite);
  return trackWork(from, options, async (request) => {
    const args = { from: pathToBytes(from), to: pathToBytes(to), overwrite, recursive };
    const reply = await channel.request('COPY', args, request);
    return { ...readCopied(reply), seconds: (performance.now() - started) / 1000 };
  });
}

function readCopied(reply: Reply): Omit<CopyResult, 'seconds'> {
  const members = new ControlReader(reply.members);
  const files = members.count('files');
  const directories = members.count('directories');
  const links = members.count('links');
  const bytes = members.count('bytes');
  if (files === null || directories === null || links === null || bytes === null) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say what it copied');
  }
  return { files, directories, links, bytes };
}

/** A wrong word would be refused by the server, too; a caller without types hears of it here. */
function checkOverwrite(overwrite: 'replace' | 'refuse' = 'replace'): 'replace' | 'refuse' {
  if (overwrite === 'replace' || overwrite === 'refuse') return overwrite;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', "overwrite must be 'replace' or 'refuse'");
}
