/**
 * Fetching a file: from a name on the server to a local path.
 */
import { lstat, stat } from 'node:fs/promises';
import { E2eeftpError } from '../../errors.js';
import { isSystemError } from '../../identity/atomic-file.js';
import { hashLocal, native, nativeSync, openLocalSource, stageLocal, stageLocalBlocks } from '../../native.js';
import type { BlocksResult, BodyResult, NativeBlocks, NativeStaged } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import { askFor } from '../compression.js';
import { isSessionDead } from '../exchange.js';
import { numbered } from '../name-reservation.js';
import { downloadKey } from '../resume-key.js';
import type { FileStamp } from '../unchanged.js';
import { readModified } from '../wire-time.js';
import type { WireTime } from '../wire-time.js';
import type { InboundBody } from './bodies.js';
import type { Channel } from './channel.js';
import { granted, sentBytes } from './compressed.js';
import { hashRemote } from './hash.js';
import type { Line } from './line.js';
import { measured } from './measured.js';
import type { Reply } from './reply.js';
import { readLanes, wantedLanes } from './send.js';
import { trackTransfer } from './tracked-transfer.js';
import type { Pace, Tracked } from './tracked-transfer.js';
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
  line: Line,
  serverFingerprint: string,
  remotePath: string,
  localPath: string,
  options: GetOptions & Pace,
): Promise<TransferResult> {
  const started = performance.now();
  const lanes = wantedLanes(options.connections);
  const move = async (tracked: Tracked): Promise<TransferResult> => {
    const target = await localTarget(remotePath, localPath, options);
    const fetching = new Fetching(remotePath, target, serverFingerprint, options, tracked, lanes);
    const { bytes, root, kept, skipped, reply } = await line.persist(
      { ...options, signal: tracked.signal },
      fetching,
      (channel) => fetching.fetch(channel),
    );
    const seconds = (performance.now() - started) / 1000;
    const crossed = sentBytes(tracked.transfer);
    const got = { bytes: bytes - kept, seconds };
    const stats =
      options.stats === true && reply !== null ? { stats: measured('down', tracked.transfer, reply, got) } : {};
    return { bytes, root, resumedBytes: kept, skipped, ...crossed, seconds, path: pathFromBytes(target), ...stats };
  };
  return trackTransfer(remotePath, options.onProgress, options.signal, move, options);
}

interface Fetched {
  readonly bytes: number;
  readonly root: string;
  readonly kept: number;
  readonly skipped: boolean;
  /** `null` when nothing was moved. */
  readonly reply: Reply | null;
}

/** One file on its way to the local disk, in as many tries as it takes. */
class Fetching {
  readonly #remotePath: string;
  readonly #target: Buffer;
  readonly #key: Buffer;
  readonly #options: GetOptions;
  readonly #tracked: Tracked;
  readonly #lanes: ReturnType<typeof wantedLanes>;
  /** What the server said in the first try: the same file must come in each. */
  #first: Announcement | null = null;
  #isByBlocks = false;
  /** What earlier runs have left is discarded once only. */
  #isFresh = false;

  constructor(
    remotePath: string,
    target: Buffer,
    serverFingerprint: string,
    options: GetOptions,
    tracked: Tracked,
    lanes: ReturnType<typeof wantedLanes>,
  ) {
    this.#remotePath = remotePath;
    this.#target = target;
    this.#key = downloadKey(serverFingerprint, pathToBytes(remotePath));
    this.#options = options;
    this.#tracked = tracked;
    this.#lanes = lanes;
    this.#isFresh = options.resume ?? true;
  }

  /** How far it has come. */
  moved(): number {
    return this.#tracked.transfer.progress().transferred;
  }

  isRepairable(): boolean {
    return this.#isByBlocks;
  }

  async fetch(channel: Channel): Promise<Fetched> {
    const { transfer, signal } = this.#tracked;
    transfer.restart();
    const own = await this.#ownStamp();
    const same = own === null ? null : await this.#sameContent(channel, own);
    if (same !== null) return { bytes: same.bytes, root: same.root, kept: 0, skipped: true, reply: null };
    const stamp = this.#options.skip === 'time' ? own : null;
    let file: ReceivedFile | null = null;
    try {
      const reply = await channel.request(
        'GET',
        {
          path: pathToBytes(this.#remotePath),
          blocks: askFor(this.#options.compress).compress === undefined,
          ...askFor(this.#options.compress),
          lanes: this.#lanes.count,
          unlessSize: stamp?.size,
          unlessMtime: stamp?.modifiedMs,
          unlessMtimeNs: stamp?.modifiedNs,
          stats: this.#options.stats === true ? true : undefined,
        },
        {
          signal,
          receive: async (body, announced) => {
            file = await this.#receive(body, announced);
          },
        },
      );
      signal.throwIfAborted();
      if (stamp !== null && reply.members['unchanged'] === true) {
        return { bytes: stamp.size, root: '', kept: 0, skipped: true, reply: null };
      }
      const received = file as ReceivedFile | null;
      if (received === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server sent no file');
      return await received.commit(reply);
    } catch (error) {
      // The failure that led here is the one to report. What can't be removed has no name that anybody looks for.
      await (file as ReceivedFile | null)?.release().catch(() => undefined);
      throw error;
    }
  }

  async #receive(body: InboundBody, reply: Reply): Promise<ReceivedFile> {
    const announcement = readAnnouncement(reply);
    this.#requireSame(announcement);
    const lanes = readLanes(reply, this.#lanes);
    this.#isByBlocks = lanes !== null;
    const { transfer } = this.#tracked;
    if (lanes === null) {
      const isCompressed = granted(reply, this.#options.compress) !== 'none';
      return ReceivedFile.plain(this.#target, this.#options, announcement, (staged) =>
        body.toFile(staged, announcement.size, transfer, isCompressed),
      );
    }
    const isFresh = this.#isFresh;
    this.#isFresh = true;
    const target = this.#target;
    return ReceivedFile.byBlocks(target, this.#options, announcement, async (stage) => {
      const options = {
        stage,
        key: this.#key,
        isSparse: new ControlReader(reply.members).boolean('sparse', false),
        adopt: this.#options.delta ?? true,
        isDurable: this.#options.durability !== 'none',
      };
      let blocks = await stageLocalBlocks(target, options);
      if (!isFresh) {
        await blocks.release(true);
        blocks = await stageLocalBlocks(target, options);
      }
      try {
        return { blocks, result: await body.toBlocks(blocks, transfer, lanes) };
      } catch (error) {
        await blocks.release(false);
        throw error;
      }
    });
  }

  /** Blocks of two versions of a file are never mixed. */
  #requireSame(announcement: Announcement): void {
    this.#first ??= announcement;
    const { size, modified } = this.#first;
    const isSame =
      announcement.size === size &&
      announcement.modified.modifiedMs === modified.modifiedMs &&
      announcement.modified.modifiedNs === modified.modifiedNs;
    if (isSame) return;
    throw new E2eeftpError('E2EEFTP_SOURCE_CHANGED', `${displayName(this.#remotePath)} changed while it was fetched`);
  }

  /** The local file of that name, where it may make a transfer unnecessary. */
  async #ownStamp(): Promise<FileStamp | null> {
    if ((this.#options.skip ?? 'never') === 'never') return null;
    const source = await native(() => openLocalSource(this.#target)).catch(() => null);
    if (source === null) return null;
    try {
      return nativeSync(() => source.metadata);
    } finally {
      source.close();
    }
  }

  /** Compares both ends by their hashes, where that is wished for. */
  async #sameContent(channel: Channel, own: FileStamp): Promise<{ bytes: number; root: string } | null> {
    if (this.#options.skip !== 'checksum') return null;
    const { transfer, signal } = this.#tracked;
    const theirs = await hashRemote(channel, this.#remotePath, { signal });
    if (theirs.bytes !== own.size) return null;
    const source = await native(() => openLocalSource(this.#target));
    try {
      const { root } = await native(() => hashLocal(transfer, source));
      transfer.restart();
      return root.toString('hex') === theirs.root ? theirs : null;
    } finally {
      source.close();
    }
  }
}

type Stage = Parameters<typeof stageLocal>[1];

/** A file that has arrived and has not got its name yet. */
class ReceivedFile {
  readonly #target: Buffer;
  readonly #options: GetOptions;
  readonly #announcement: Announcement;
  readonly #file: NativeStaged | NativeBlocks;
  readonly #result: BodyResult & { readonly kept: number };

  private constructor(
    target: Buffer,
    options: GetOptions,
    announcement: Announcement,
    file: NativeStaged | NativeBlocks,
    result: BodyResult & { readonly kept: number },
  ) {
    this.#target = target;
    this.#options = options;
    this.#announcement = announcement;
    this.#file = file;
    this.#result = result;
  }

  static async plain(
    target: Buffer,
    options: GetOptions,
    announcement: Announcement,
    receive: (staged: NativeStaged) => Promise<BodyResult>,
  ): Promise<ReceivedFile> {
    const stage = stageOptions(options, announcement);
    const staged = await onLocalDisk(target, () => stageLocal(target, stage));
    try {
      const result = await receive(staged);
      return new ReceivedFile(target, options, announcement, staged, { ...result, kept: 0 });
    } catch (error) {
      // As above: the first failure is the one to report.
      await native(() => staged.abort()).catch(() => undefined);
      throw error;
    }
  }

  static async byBlocks(
    target: Buffer,
    options: GetOptions,
    announcement: Announcement,
    receive: (stage: Stage) => Promise<{ blocks: NativeBlocks; result: BlocksResult }>,
  ): Promise<ReceivedFile> {
    const { blocks, result } = await onLocalDisk(target, () => receive(stageOptions(options, announcement)));
    return new ReceivedFile(target, options, announcement, blocks, result);
  }

  async commit(reply: Reply): Promise<Fetched> {
    const { bytes, root, kept } = this.#result;
    checkReceived(reply, this.#result);
    const { preserve = true, durability = 'file' } = this.#options;
    const modified = preserve ? this.#announcement.modified : {};
    await onLocalDisk(this.#target, () => this.#file.commit({ durability, ...modified }));
    return { bytes, root: root.toString('hex'), kept, skipped: false, reply };
  }

  /** Gives it up; what a later try can go on with stays. */
  async release(): Promise<void> {
    await native(() => ('release' in this.#file ? this.#file.release(false) : this.#file.abort()));
  }
}

function stageOptions(options: GetOptions, { size, mode }: Announcement): Stage {
  const { overwrite = 'replace', preserve = true, parents = true } = options;
  return {
    expectedLen: size,
    overwrite: overwrite === 'replace',
    makeParents: parents,
    ...(preserve && mode !== null ? { mode: mode & 0o777 } : {}),
  };
}

/** An error of the local disk names the local file. */
async function onLocalDisk<T>(target: Buffer, call: () => Promise<T>): Promise<T> {
  try {
    return await native(call);
  } catch (error) {
    throw isOfDisk(error) ? error.within(displayName(pathFromBytes(target))) : error;
  }
}

/** Failures of the connection are not about the local file. */
function isOfDisk(error: unknown): error is E2eeftpError {
  if (!E2eeftpError.is(error) || isSessionDead(error)) return false;
  const { code } = error;
  return code !== 'E2EEFTP_INTEGRITY' && code !== 'E2EEFTP_ABORTED' && !code.startsWith('E2EEFTP_PEER_');
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
