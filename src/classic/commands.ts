/**
 * The five commands. Each answers its client in the words of the old server, byte for byte, and never takes a name that
 * is more than a name.
 */
import { E2eeftpError } from '../errors.js';
import { classicSealedLen, isClassicSealedLen, native, nativeSync } from '../native.js';
import type { NativeSource } from '../native.js';
import { pathFromBytes } from '../storage/path-text.js';
import {
  answer,
  decryptionFailed,
  isConnectionLost,
  malformedRequest,
  newTransfer,
  notPermitted,
  readError,
} from './classic-request.js';
import type { ClassicOutcome, ClassicRefusal, ClassicRequest } from './classic-request.js';
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

/** Answers one command with its fields. */
export type ClassicCommandHandler = (request: ClassicRequest, fields: readonly string[]) => Promise<ClassicOutcome>;

/** The commands, in the order in which HLIST names them. */
export const classicCommands: ReadonlyMap<string, ClassicCommandHandler> = new Map([
  ['SEND', send],
  ['GET', get],
  ['LIST', list],
  ['DELETE', remove],
  ['HLIST', hlist],
]);

/** Answers with a refusal. */
export async function refuse(
  { connection }: Pick<ClassicRequest, 'connection'>,
  { status, text }: ClassicRefusal,
  error?: unknown,
): Promise<ClassicOutcome> {
  await answer(connection, statusLine(status, text));
  return { status, error };
}

/** `SEND|name|size` and a piece. */
async function send(request: ClassicRequest, [name, sizeField]: readonly string[]): Promise<ClassicOutcome> {
  const { connection, view, grant, durability } = request;
  const size = sizeField === undefined ? null : readSize(sizeField);
  if (name === undefined || size === null) return refuse(request, malformedRequest);
  if (isOwnDirectory(name)) return refuse(request, decryptionFailed);
  if (!isPlainName(name)) return refuse(request, malformedRequest);
  if (!grant.write) return refuse(request, notPermitted);
  const isTooLarge = size > MAX_SEALED || (grant.maxSize !== null && size - LEAST_OVERHEAD - 15 > grant.maxSize);
  if (isTooLarge || !isClassicSealedLen(size)) return refuse(request, decryptionFailed);
  try {
    const path = Buffer.from(name, 'utf8');
    const staged = await native(() => view.stage(path, { overwrite: grant.overwrite, makeParents: false }));
    const result = await native(() => connection.receivePiece(newTransfer(), staged, size));
    await native(() => staged.commit({ durability }));
    await answer(connection, statusLine(226, 'Transfer Complete'));
    return { status: 226, file: { verb: 'SEND', name, result } };
  } catch (error) {
    if (isConnectionLost(error)) return { status: null, error };
    return refuse(request, decryptionFailed, error);
  }
}

/** `GET|name`. */
async function get(request: ClassicRequest, [name]: readonly string[]): Promise<ClassicOutcome> {
  const { connection, view, grant } = request;
  if (name === undefined) return refuse(request, malformedRequest);
  if (isOwnDirectory(name)) return refuse(request, readError);
  if (!isPlainName(name)) return refuse(request, malformedRequest);
  if (!grant.read) return refuse(request, notPermitted);
  let source: NativeSource;
  try {
    source = await native(() => view.openSource(Buffer.from(name, 'utf8')));
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) return refuse(request, readError, error);
    return refuse(request, { status: 404, text: `File not found: ${name}` });
  }
  try {
    const head = statusLine(200, String(nativeSync(() => classicSealedLen(source.metadata.size))));
    const result = await native(() => connection.sendPiece(newTransfer(), source, head, false));
    await answer(connection, Buffer.alloc(0));
    return result === null || result === undefined
      ? { status: 200 }
      : { status: 200, file: { verb: 'GET', name, result } };
  } catch (error) {
    // A part of the piece may have been sent: only the end of the connection can say that it is no whole.
    return { status: null, error };
  } finally {
    source.close();
  }
}

/** `LIST`. Names that could not be asked for are left out. */
async function list(request: ClassicRequest): Promise<ClassicOutcome> {
  const { view, grant } = request;
  if (!grant.list) return refuse(request, notPermitted);
  const names: string[] = [];
  let length = 0;
  try {
    const lister = await native(() => view.list(Buffer.from('/')));
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
    return refuse(request, readError, error);
  }
  return answerNames(request, names);
}

/** `HLIST`. */
async function hlist(request: ClassicRequest): Promise<ClassicOutcome> {
  const { grant, isDeleteAllowed } = request;
  const offered: Readonly<Record<string, boolean>> = {
    SEND: grant.write,
    GET: grant.read,
    LIST: grant.list,
    DELETE: grant.delete && isDeleteAllowed,
    HLIST: true,
  };
  return answerNames(
    request,
    [...classicCommands.keys()].filter((verb) => offered[verb] === true),
  );
}

/** `DELETE|name`. */
async function remove(request: ClassicRequest, [name]: readonly string[]): Promise<ClassicOutcome> {
  const { connection, view, grant, isDeleteAllowed } = request;
  if (name === undefined) return refuse(request, malformedRequest);
  if (!isDeleteAllowed || !grant.delete) return refuse(request, notPermitted);
  if (isOwnDirectory(name)) return closeSilently(request);
  if (!isPlainName(name)) return refuse(request, malformedRequest);
  try {
    await native(() => view.removeFile(Buffer.from(name, 'utf8')));
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) return closeSilently(request, error);
    return refuse(request, { status: 404, text: 'File not found' });
  }
  await answer(connection, statusLine(200, 'File deleted'));
  return { status: 200 };
}

async function answerNames(request: ClassicRequest, names: readonly string[]): Promise<ClassicOutcome> {
  const content = Buffer.from(names.join('\n'), 'utf8');
  await answer(request.connection, Buffer.concat([statusLine(200, String(content.length)), content]));
  return { status: 200 };
}

/** The old server's answer to whatever it did not foresee. */
async function closeSilently({ connection }: ClassicRequest, error?: unknown): Promise<ClassicOutcome> {
  await answer(connection, Buffer.alloc(0));
  return { status: null, error };
}
