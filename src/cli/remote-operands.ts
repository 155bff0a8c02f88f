/** Operands of verbs that work within one server: `PEER:FROM… PEER:TO`. */
import { E2eeftpError, remoteBaseName, serverName } from '../index.js';
import type { RemoteAddress } from './address.js';
import type { CliContext } from './context.js';
import { endpoint } from './open-client.js';
import { hinted } from './report-error.js';
import { parseRemote } from './verbs/ls.js';

/** One source as it was given, and where it is. */
export interface RemoteSource {
  readonly text: string;
  readonly address: RemoteAddress;
}

/** Sources and target on one server. */
export interface RemoteOperands {
  readonly sources: readonly RemoteSource[];
  readonly target: RemoteAddress;
}

/**
 * Reads the operands of `mv` and `cp`.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when one of them is on this machine or on another server, when there
 * are too few, when two sources have one name, or when a source is the top directory, which has none.
 */
export function readRemoteOperands(context: CliContext, verb: string, operands: readonly string[]): RemoteOperands {
  const addresses = operands.map((operand) => parseRemote(operand));
  const target = addresses.pop();
  if (target === undefined || addresses.length === 0) {
    throw usage('a source and a target are needed', `write: e2eeftp ${verb} PEER:FROM… PEER:TO`);
  }
  const home = serverOf(context, target);
  const sources = addresses.map((address, index) => {
    const text = operands[index] ?? '';
    if (serverOf(context, address) !== home) {
      throw usage(
        `'${text}' is on another server than '${operands.at(-1) ?? ''}'`,
        'between servers: e2eeftp get to this machine, then e2eeftp send',
      );
    }
    if (isTop(address.path)) throw usage(`'${text}' names the top directory`, 'name a file or directory in it');
    return { text, address };
  });
  // In the directory that they go into, the second would replace the first.
  const names = new Map<string, string>();
  for (const { text, address } of sources) {
    const name = sourceName(address);
    const other = names.get(name);
    if (other !== undefined) {
      throw usage(`'${other}' and '${text}' would both become '${name}'`, 'name them one by one, each with its target');
    }
    names.set(name, text);
  }
  return { sources, target };
}

/** The name of a source in a directory that it goes into. */
export function sourceName(address: RemoteAddress): string {
  return remoteBaseName(partsOf(address.path).at(-1) ?? '');
}

/** The error of a move or a copy; one about a name that is taken says what can be done about it. */
export function withTakenHint(error: unknown, from: string, to: string, overwrite: 'replace' | 'refuse'): unknown {
  const isItself = partsOf(from).join('/') === partsOf(to).join('/');
  // Asked to replace, a server says that a name is taken for these two reasons only.
  const other =
    overwrite === 'refuse'
      ? 'choose another name, or leave out --no-clobber'
      : 'choose another name: your key may not replace this one, or both are the same file';
  return hinted(error, 'E2EEFTP_EXISTS', isItself ? 'it is the source itself: choose another name' : other);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function isTop(path: string): boolean {
  return partsOf(path).length === 0;
}

function serverOf(context: CliContext, address: RemoteAddress): string {
  const { host, port } = endpoint(context, address);
  return serverName(host, port);
}

function usage(message: string, hint: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, { hint });
}
