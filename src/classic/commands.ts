/**
 * The five commands. Each answers its client in the words of the old server, byte for byte, and never takes a name that
 * is more than a name. What a line asks for is judged first, without touching anything; what is left is a plan.
 */
import { E2eeftpError } from '../errors.js';
import { classicSealedLen, isClassicSealedLen, native, nativeSync } from '../native.js';
import type { NativeSource } from '../native.js';
import { pathFromBytes, pathToBytes } from '../storage/path-text.js';
import {
  decryptionFailed,
  isConnectionLost,
  lost,
  malformedRequest,
  newTransfer,
  notPermitted,
  readError,
  refusal,
  silence,
  success,
} from './classic-request.js';
import type { ClassicOutcome, ClassicPlan, ClassicRequest } from './classic-request.js';
import { isOwnDirectory, isPlainName, readSize, statusLine } from './command-line.js';

/** The largest piece that is taken, whatever a grant says: 1 TiB. */
export const MAX_SEALED: number = 2 ** 40;
/** The least that a piece is longer than its content. */
const LEAST_OVERHEAD = 49;
/** The longest listing, in bytes. */
export const MAX_LISTING: number = 16 * 1024 * 1024;
/** A byte that is not UTF-8, see `path-text.ts`. */
const loneSurrogate = /\p{Cs}/u;
/** Entries that are read at once. */
const PAGE = 500;

/** Judges a line by its fields: a plan, or the answer when there is nothing to be done. */
export type ClassicCommandHandler = (
  request: ClassicRequest,
  fields: readonly string[],
) => ClassicPlan | ClassicOutcome;

/** The commands, in the order in which HLIST names them. */
export const classicCommands: ReadonlyMap<string, ClassicCommandHandler> = new Map([
  ['SEND', send],
  ['GET', get],
  ['LIST', list],
  ['DELETE', remove],
  ['HLIST', hlist],
]);

/** `SEND|name|size` and a piece. */
function send(request: ClassicRequest, [name, sizeField]: readonly string[]): ClassicPlan | ClassicOutcome {
  const { grant } = request;
  const size = sizeField === undefined ? null : readSize(sizeField);
  if (name === undefined || size === null) return refusal(malformedRequest);
  if (isOwnDirectory(name)) return refusal(decryptionFailed);
  if (!isPlainName(name)) return refusal(malformedRequest);
  if (!grant.write) return refusal(notPermitted);
  const isTooLarge = size > MAX_SEALED || (grant.maxSize !== null && size - LEAST_OVERHEAD - 15 > grant.maxSize);
  if (isTooLarge || !isClassicSealedLen(size)) return refusal(decryptionFailed);
  return planFor(name, (path) => store(request, path, size), size - LEAST_OVERHEAD);
}

async function store(request: ClassicRequest, path: string, size: number): Promise<ClassicOutcome> {
  const { connection, view, grant, durability } = request;
  try {
    const target = pathToBytes(path);
    const staged = await native(() => view.stage(target, { overwrite: grant.overwrite, makeParents: false }));
    const result = await native(() => connection.receivePiece(newTransfer(), staged, size));
    await native(() => staged.commit({ durability }));
    return success(226, statusLine(226, 'Transfer Complete'), { verb: 'SEND', path, result });
  } catch (error) {
    return isConnectionLost(error) ? lost(error) : refusal(decryptionFailed, error);
  }
}

/** `GET|name`. */
function get(request: ClassicRequest, [name]: readonly string[]): ClassicPlan | ClassicOutcome {
  if (name === undefined) return refusal(malformedRequest);
  if (isOwnDirectory(name)) return refusal(readError);
  if (!isPlainName(name)) return refusal(malformedRequest);
  if (!request.grant.read) return refusal(notPermitted);
  return planFor(name, (path) => fetch(request, name, path));
}

async function fetch(request: ClassicRequest, name: string, path: string): Promise<ClassicOutcome> {
  const { connection, view } = request;
  let source: NativeSource;
  try {
    source = await native(() => view.openSource(pathToBytes(path)));
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) return refusal(readError, error);
    return refusal({ status: 404, text: `File not found: ${name}` }, error);
  }
  try {
    const head = statusLine(200, String(nativeSync(() => classicSealedLen(source.metadata.size))));
    const result = await native(() => connection.sendPiece(newTransfer(), source, head, false));
    if (result === null || result === undefined) throw new E2eeftpError('E2EEFTP_INTERNAL', 'half a piece was sent');
    return success(200, Buffer.alloc(0), { verb: 'GET', path, result });
  } catch (error) {
    // A part of the piece may have been sent: only the end of the connection can say that it is no whole.
    return lost(error);
  } finally {
    source.close();
  }
}

/** `LIST`. Names that could not be asked for are left out. */
function list(request: ClassicRequest): ClassicPlan | ClassicOutcome {
  if (!request.grant.list) return refusal(notPermitted);
  return { path: '/', size: null, run: async (path) => listNames(request, path ?? '/') };
}

async function listNames({ view }: ClassicRequest, path: string): Promise<ClassicOutcome> {
  const names: string[] = [];
  let length = 0;
  try {
    const lister = await native(() => view.list(pathToBytes(path)));
    for (;;) {
      const page = await native(() => lister.next(PAGE));
      if (page.length === 0) break;
      const plain = page.map((entry) => pathFromBytes(entry.name)).filter((name) => isPlainName(name));
      const valid = plain.filter((name) => !loneSurrogate.test(name));
      length += valid.reduce((sum, name) => sum + Buffer.byteLength(name) + 1, 0);
      if (length > MAX_LISTING)
        throw new E2eeftpError('E2EEFTP_TOO_LARGE', 'the listing is too long for this protocol');
      names.push(...valid);
    }
  } catch (error) {
    return refusal(readError, error);
  }
  return tellNames(names);
}

/** `HLIST`. */
function hlist({ grant, isDeleteAllowed }: ClassicRequest): ClassicPlan {
  const offered: Readonly<Record<string, boolean>> = {
    SEND: grant.write,
    GET: grant.read,
    LIST: grant.list,
    DELETE: grant.delete && isDeleteAllowed,
    HLIST: true,
  };
  const verbs = [...classicCommands.keys()].filter((verb) => offered[verb] === true);
  return { path: null, size: null, run: async () => tellNames(verbs) };
}

/** `DELETE|name`. */
function remove(request: ClassicRequest, [name]: readonly string[]): ClassicPlan | ClassicOutcome {
  const { grant, isDeleteAllowed } = request;
  if (name === undefined) return refusal(malformedRequest);
  if (!isDeleteAllowed || !grant.delete) return refusal(notPermitted);
  if (isOwnDirectory(name)) return silence();
  if (!isPlainName(name)) return refusal(malformedRequest);
  return planFor(name, (path) => removeAt(request, path));
}

async function removeAt({ view }: ClassicRequest, path: string): Promise<ClassicOutcome> {
  try {
    await native(() => view.removeFile(pathToBytes(path)));
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) return silence(error);
    return refusal({ status: 404, text: 'File not found' }, error);
  }
  return fileDeleted();
}

/** The answer to a DELETE that was carried out. */
export function fileDeleted(): ClassicOutcome {
  return success(200, statusLine(200, 'File deleted'));
}

/** A plan about a plain name. */
function planFor(
  name: string,
  run: (path: string) => Promise<ClassicOutcome>,
  size: number | null = null,
): ClassicPlan {
  const own = `/${name}`;
  return { path: own, size, run: (path) => run(path ?? own) };
}

function tellNames(names: readonly string[]): ClassicOutcome {
  const content = Buffer.from(names.join('\n'), 'utf8');
  return success(200, Buffer.concat([statusLine(200, String(content.length)), content]));
}
