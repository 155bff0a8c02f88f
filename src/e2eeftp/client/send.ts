/**
 * Sending a file: from a local path to a name on the server.
 */
import { randomBytes } from 'node:crypto';
import { E2eeftpError } from '../../errors.js';
import { hashLocal, native, nativeSync, openLocalSource } from '../../native.js';
import type { BodyResult, NativeSource, OpenLanes } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import { askFor } from '../compression.js';
import { STATUS_OK } from '../status.js';
import type { Channel } from './channel.js';
import { granted, sentBytes } from './compressed.js';
import { hashRemote } from './hash.js';
import type { Line } from './line.js';
import { measured } from './measured.js';
import type { Reply } from './reply.js';
import { trackTransfer } from './tracked-transfer.js';
import type { Pace, Tracked } from './tracked-transfer.js';
import type { TransferOptions, TransferResult } from './transfer-options.js';

/** Connections for one file unless told otherwise; most of them. */
const DEFAULT_CONNECTIONS = 8;
export const MAX_CONNECTIONS = 16;
/** Bytes. */
const JOIN_ID_LENGTH = 32;

/** Sends one file; see `Client.send`. */
export async function sendFile(
  line: Line,
  localPath: string,
  remotePath: string,
  options: TransferOptions & Pace,
): Promise<TransferResult> {
  const started = performance.now();
  options.signal?.throwIfAborted();
  const lanes = wantedLanes(options.connections);
  const source = await native(() => openLocalSource(pathToBytes(localPath))).catch((error: unknown) => {
    throw E2eeftpError.is(error) ? error.within(displayName(localPath)) : error;
  });
  try {
    const move = async (tracked: Tracked): Promise<TransferResult> => {
      const sending = new Sending(source, localPath, options, tracked, lanes);
      const { reply, result, path } = await line.persist({ ...options, signal: tracked.signal }, sending, (channel) =>
        sending.sendTo(channel, remotePath),
      );
      const seconds = (performance.now() - started) / 1000;
      if (result === null) {
        const { size } = nativeSync(() => source.metadata);
        return { bytes: size, root: sending.root ?? '', resumedBytes: 0, skipped: true, seconds, path };
      }
      checkSent(reply, result, remotePath);
      const { bytes, root, kept } = result;
      const crossed = sentBytes(tracked.transfer);
      const sent = { bytes: bytes - kept, seconds };
      const stats = options.stats === true ? { stats: measured('up', tracked.transfer, reply, sent) } : {};
      const moved = { bytes, root: root.toString('hex'), resumedBytes: kept, skipped: false, ...crossed };
      return { ...moved, seconds, path, ...stats };
    };
    return await trackTransfer(localPath, options.onProgress, options.signal, move, options);
  } finally {
    source.close();
  }
}

/** Further connections to ask the server for: with a number given, one less than that. */
export function wantedLanes(connections: number | undefined): { readonly count: number; readonly atOnce: boolean } {
  if (connections === undefined) return { count: DEFAULT_CONNECTIONS - 1, atOnce: false };
  if (Number.isInteger(connections) && connections >= 1 && connections <= MAX_CONNECTIONS) {
    return { count: connections - 1, atOnce: true };
  }
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `connections must be a number from 1 to ${MAX_CONNECTIONS}`);
}

interface Sent {
  readonly reply: Reply;
  /** `null` when the server had the file. */
  readonly result: (BodyResult & { readonly kept: number }) | null;
  readonly path: string;
}

/** One file on its way, in as many tries as it takes. */
class Sending {
  /** Of the local file, once that had to be known. */
  root: string | null = null;
  readonly #source: NativeSource;
  readonly #localPath: string;
  readonly #options: TransferOptions;
  readonly #tracked: Tracked;
  readonly #lanes: ReturnType<typeof wantedLanes>;
  /** The same in each try, so that the server knows whose connection broke. */
  readonly #run = randomBytes(16);
  #isByBlocks = false;

  constructor(
    source: NativeSource,
    localPath: string,
    options: TransferOptions,
    tracked: Tracked,
    lanes: ReturnType<typeof wantedLanes>,
  ) {
    this.#source = source;
    this.#localPath = localPath;
    this.#options = options;
    this.#tracked = tracked;
    this.#lanes = lanes;
  }

  /** How far it has come. */
  moved(): number {
    return this.#tracked.transfer.progress().transferred;
  }

  isRepairable(): boolean {
    return this.#isByBlocks;
  }

  /** A target that is a directory, by its spelling or on the server, means: into it, under the same name. */
  async sendTo(channel: Channel, remotePath: string): Promise<Sent> {
    const inside = joinRemote(remotePath === '' ? '/' : remotePath, localBaseName(this.#localPath));
    if (remotePath === '' || remotePath.endsWith('/')) return this.#sendOnce(channel, inside);
    try {
      return await this.#sendOnce(channel, remotePath);
    } catch (error) {
      // The server says so before any byte of the file has moved.
      if (!E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY')) throw error;
      return this.#sendOnce(channel, inside);
    }
  }

  async #sendOnce(channel: Channel, path: string): Promise<Sent> {
    const { transfer, signal } = this.#tracked;
    const { size, modifiedMs, modifiedNs, mode } = nativeSync(() => this.#source.metadata);
    const { preserve = true, overwrite = 'replace', parents = true, resume = true, delta = true } = this.#options;
    transfer.restart();
    if (await this.#isSameContent(channel, path)) return { reply: unasked, result: null, path };
    const isSkippedByTime = this.#options.skip === 'time';
    let result: Sent['result'] = null;
    const reply = await channel.request(
      'SEND',
      {
        path: pathToBytes(path),
        size,
        mtime: preserve ? modifiedMs : undefined,
        mtimeNs: preserve ? modifiedNs : undefined,
        mode: preserve ? mode & 0o777 : undefined,
        overwrite,
        parents,
        blocks: askFor(this.#options.compress).compress === undefined,
        ...askFor(this.#options.compress),
        // What earlier runs have left is discarded once only: from then on there is this run's own.
        resume: resume || this.#isByBlocks,
        delta,
        sparse: nativeSync(() => this.#source.isSparse),
        lanes: this.#lanes.count,
        run: this.#run,
        unlessSize: isSkippedByTime ? size : undefined,
        unlessMtime: isSkippedByTime ? modifiedMs : undefined,
        unlessMtimeNs: isSkippedByTime ? modifiedNs : undefined,
        durability: this.#options.durability,
        stats: this.#options.stats === true ? true : undefined,
      },
      {
        signal,
        send: async (body, request) => {
          const lanes = readLanes(request, this.#lanes);
          this.#isByBlocks = lanes !== null;
          if (lanes === null) {
            const compress = granted(request, this.#options.compress);
            result = { ...(await body.fromFile(this.#source, size, transfer, compress)), kept: 0 };
          } else result = await body.fromBlocks(this.#source, size, transfer, lanes);
        },
      },
    );
    if (reply.members['unchanged'] === true && isSkippedByTime) return { reply, result: null, path };
    if (result === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not ask for the file');
    return { reply, result, path: checkSent(reply, result, path).path };
  }

  /** Compares both ends by their hashes, where that is wished for. */
  async #isSameContent(channel: Channel, path: string): Promise<boolean> {
    if (this.#options.skip !== 'checksum') return false;
    const { transfer, signal } = this.#tracked;
    const { size } = nativeSync(() => this.#source.metadata);
    const theirs = await hashRemote(channel, path, { signal }).catch((error: unknown) => {
      // Not there, not a file, or not to be read: then it is sent.
      if (E2eeftpError.is(error) && error.status !== undefined && error.status < 500) return null;
      throw error;
    });
    if (theirs === null || theirs.bytes !== size) return false;
    const { root } = await native(() => hashLocal(transfer, this.#source));
    transfer.restart();
    this.root = root.toString('hex');
    return this.root === theirs.root;
  }
}

/** Stands for the reply of a request that was not made. */
const unasked: Reply = { id: 0, status: STATUS_OK, text: '', members: {} };

/** The connections that the server offers for a transfer by blocks; `null` when it wants a plain body. */
export function readLanes(request: Reply, wanted: ReturnType<typeof wantedLanes>): OpenLanes | null {
  const members = new ControlReader(request.members);
  try {
    if (!members.boolean('blocks', false)) return null;
    const ids = members.optionalBytes('lanes') ?? Buffer.alloc(0);
    if (ids.length % JOIN_ID_LENGTH !== 0 || ids.length > wanted.count * JOIN_ID_LENGTH) {
      throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'lanes has a wrong length');
    }
    return { ids, atOnce: wanted.atOnce };
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say how to send it', { cause: error });
  }
}

/**
 * Compares what the server stored with what was sent.
 *
 * @throws E2eeftpError `E2EEFTP_INTEGRITY` when they differ.
 */
export function checkSent(reply: Reply, sent: BodyResult, wanted: string): { path: string } {
  const members = new ControlReader(reply.members);
  try {
    const root = members.bytes('root');
    if (members.count('bytes') !== sent.bytes || !root.equals(sent.root)) {
      throw new E2eeftpError('E2EEFTP_INTEGRITY', `the server stored something else as ${displayName(wanted)}`);
    }
    return { path: pathFromBytes(members.bytes('path')) };
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST')) throw error;
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say what it stored', { cause: error });
  }
}

function localBaseName(path: string): string {
  const name = remoteBaseName(process.platform === 'win32' ? path.replaceAll('\\', '/') : path);
  if (name !== '' && name !== '.' && name !== '..') return name;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${displayName(path)} has no name to store it under`);
}
