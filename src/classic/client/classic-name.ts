/**
 * Names and command lines as a client writes them.
 */
import { E2eeftpError } from '../../errors.js';
import { displayName } from '../../storage/display-name.js';
import { remoteBaseName } from '../../storage/path-text.js';
import { isPlainName } from '../command-line.js';

/** The longest line that a server takes, in bytes, without its end. */
const MAX_LINE = 4096;

/** What stands for the directory itself: nothing, `/`, `.`, `./`. */
const ownDirectory = /^\/*(?:\.\/+)*\.?$/;

/**
 * The plain name that a remote path stands for; `/name` is `name`.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_PATH` for what is no plain name, or one that the old protocol can't carry.
 */
export function classicName(path: string): string {
  const name = path.replace(/^\/+/, '');
  // White space at the end of a line is no part of it; what is not UTF-8 is refused by every server.
  if (isPlainName(name) && name === name.trim() && !/\p{Cs}/u.test(name)) return name;
  throw new E2eeftpError('E2EEFTP_BAD_PATH', `'${displayName(path)}' is no name that the classic protocol can carry`, {
    hint: 'it has no directories: give a name without / \\ | and control characters',
  });
}

/** As {@link classicName}; a path that names the directory itself takes the name of the local file. */
export function classicTarget(remotePath: string, localPath: string): string {
  return classicName(ownDirectory.test(remotePath) ? remoteBaseName(localPath) : remotePath);
}

/**
 * A command line with its end.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_PATH` when it is too long.
 */
export function commandLine(...fields: readonly string[]): Buffer {
  const line = Buffer.from(fields.join('|'), 'utf8');
  if (line.length > MAX_LINE) throw new E2eeftpError('E2EEFTP_BAD_PATH', 'the name is too long');
  return Buffer.concat([line, Buffer.from('\n')]);
}
