/**
 * Fetching a file: from a name on the server to a local path.
 */
import { lstat, stat } from 'node:fs/promises';
import { E2eeftpError } from '../../errors.js';
import { isSystemError } from '../../identity/atomic-file.js';
import { native, stageLocal } from '../../native.js';
import type { BodyResult, NativeStaged, NativeTransfer } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import { numbered } from '../name-reservation.js';
import { readModified } from '../wire-time.js';
import type { WireTime } from '../wire-time.js';
import type { InboundBody } from './bodies.js';
import type { Channel } from './channel.js';
import { measured } from './measured.js';
import type { Reply } from './reply.js';
import { trackTransfer } from './tracked-transfer.js';
import type { Tracked } from './tracked-transfer.js';
import type { GetOptions, TransferResult } from './transfer-options.js';

const MAX_TRIES = 10_000;

/** What the server says about a file before it sends it. */
export interface Announcement {
  /** Bytes that follow. */
  readonly size: number;
  /** Length of the file, where a part of it was asked for. */
  readonly fileSize: number | null;
  readonly modified: WireTime;
  readonly mode: number | null;
}

/** Fetches one file; see `Client.get`. */
export async function getFile(
  channel: Channel,
  remotePath: string,
  localPath: string,
  options: GetOptions,
): Promise<TransferResult> {
  const started = performance.now();
  const move = async ({ transfer, signal }: Tracked): Promise<TransferResult> => {
    const target = await localTarget(remotePath, localPath, options);
    const received = new ReceivedFile(target, options, transfer);
    try {
      const reply = await channel.request(
        'GET',
        { path: pathToBytes(remotePath), stats: options.stats === true ? true : undefined },
        {
          signal,
          receive: (body, announcement) => received.receive(body, announcement),
        },
      );
      signal.throwIfAborted();
      const { bytes, root } = await received.commit(reply);
      const seconds = (performance.now() - started) / 1000;
      const stats = options.stats === true ? { stats: measured('down', transfer, reply, { bytes, seconds }) } : {};
      return { bytes, root: root.toString('hex'), resumedBytes: 0, seconds, path: pathFromBytes(target), ...stats };
    } catch (error) {
      await received.abort();
      throw error;
    }
  };
  return trackTransfer(remotePath, options.onProgress, options.signal, move, options);
}

/** A file on its way to the local disk. */
class ReceivedFile {
  readonly #target: Buffer;
  readonly #options: GetOptions;
  readonly #transfer: NativeTransfer;
  #staged: NativeStaged | null = null;
  #announcement: Announcement | null = null;
  #result: BodyResult | null = null;

  constructor(target: Buffer, options: GetOptions, transfer: NativeTransfer) {
    this.#target = target;
    this.#options = options;
    this.#transfer = transfer;
  }

  async receive(body: InboundBody, reply: Reply): Promise<void> {
    const announcement = readAnnouncement(reply);
    const { overwrite = 'replace', preserve = true, parents = true } = this.#options;
    this.#announcement = announcement;
    const { size, mode } = announcement;
    this.#staged = await this.#local(() =>
      stageLocal(this.#target, {
        expectedLen: size,
        overwrite: overwrite === 'replace',
        makeParents: parents,
        ...(preserve && mode !== null ? { mode: mode & 0o777 } : {}),
      }),
    );
    this.#result = await body.toFile(this.#staged, size, this.#transfer);
  }

  async commit(reply: Reply): Promise<BodyResult> {
    const staged = this.#staged;
    const result = this.#result;
    if (staged === null || result === null) {
      throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server sent no file');
    }
    checkReceived(reply, result);
    const { preserve = true, durability = 'file' } = this.#options;
    const modified = preserve ? (this.#announcement?.modified ?? {}) : {};
    await this.#local(() => staged.commit({ durability, ...modified }));
    return result;
  }

  async abort(): Promise<void> {
    const staged = this.#staged;
    if (staged === null) return;
    // The failure that led here is the one to report. The staged file has no name that anybody looks for.
    await native(() => staged.abort()).catch(() => undefined);
  }

  /** An error of the local disk names the local file. */
  async #local<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await native(call);
    } catch (error) {
      throw E2eeftpError.is(error) ? error.within(displayName(pathFromBytes(this.#target))) : error;
    }
  }
}

/** Reads what the server says before the body. Throws `E2EEFTP_PROTOCOL` when it can't be read. */
export function readAnnouncement(reply: Reply): Announcement {
  const members = new ControlReader(reply.members);
  try {
    const size = members.count('size');
    if (size === null) throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'size is missing');
    const fileSize = members.count('fileSize');
    return { size, fileSize, modified: readModified(members), mode: members.count('mode', 0o7777) };
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say what it sends', { cause: error });
  }
}

/** Compares what arrived with what the server says it sent; throws `E2EEFTP_INTEGRITY` when they differ. */
export function checkReceived(reply: Reply, received: BodyResult): void {
  const members = new ControlReader(reply.members);
  try {
    if (members.count('bytes') === received.bytes && members.bytes('root').equals(received.root)) return;
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say what it sent', { cause: error });
  }
  throw new E2eeftpError('E2EEFTP_INTEGRITY', 'the server says that it sent something else');
}

/** The final local name: into `localPath` when it is a directory, numbered when that name must stay free. */
export async function localTarget(
  remotePath: string,
  localPath: string,
  options: Pick<GetOptions, 'overwrite'>,
): Promise<Buffer> {
  const path = pathToBytes((await isDirectory(localPath)) ? joinRemote(localPath, nameOf(remotePath)) : localPath);
  const { overwrite = 'replace' } = options;
  if (overwrite === 'replace' || !(await isTaken(path))) return path;
  if (overwrite === 'refuse') {
    throw new E2eeftpError('E2EEFTP_EXISTS', `${displayName(pathFromBytes(path))}: File exists`);
  }
  for (let number = 1; number < MAX_TRIES; number += 1) {
    const other = numbered(path, number);
    if (!(await isTaken(other))) return other;
  }
  throw new E2eeftpError('E2EEFTP_EXISTS', `${displayName(pathFromBytes(path))}: File exists, and its numbers too`);
}

async function isDirectory(localPath: string): Promise<boolean> {
  if (localPath.endsWith('/') || (process.platform === 'win32' && localPath.endsWith('\\'))) return true;
  return stat(pathToBytes(localPath)).then(
    (info) => info.isDirectory(),
    () => false, // Whatever is wrong with the path is told when the file is made.
  );
}

async function isTaken(path: Buffer): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ENOTDIR')) return false;
    throw new E2eeftpError('E2EEFTP_IO', `cannot look at ${displayName(pathFromBytes(path))}`, { cause: error });
  }
}

function nameOf(remotePath: string): string {
  const name = remoteBaseName(remotePath);
  if (name !== '' && name !== '.' && name !== '..') return name;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${displayName(remotePath)} has no name to store it under`);
}
