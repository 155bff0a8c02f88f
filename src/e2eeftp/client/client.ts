/**
 * A logged-in client.
 */
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { E2eeftpError } from '../../errors.js';
import type { PublicKey } from '../../identity/public-key.js';
import { native, nativeSync } from '../../native.js';
import type { NativeSession } from '../../native.js';
import { pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import type { ControlValue } from '../control-value.js';
import { typeOfLetter } from '../entry-codec.js';
import type { Entry } from '../entry-codec.js';
import type { Receipt } from '../receipt.js';
import { connectionStats } from '../transfer-stats.js';
import type { ConnectionStats } from '../transfer-stats.js';
import { longLivedController } from './abort.js';
import { measurePath } from './bench.js';
import type { BenchOptions, BenchResult } from './bench.js';
import { callCommand } from './call.js';
import type { CallOptions, CallReply } from './call.js';
import type { Channel, ChannelOptions, RequestArgs } from './channel.js';
import { copyName, moveName } from './copy.js';
import type { CopyOptions, CopyResult, MoveOptions } from './copy.js';
import { getFile } from './get.js';
import { hashRemote } from './hash.js';
import type { HashOptions, HashResult } from './hash.js';
import { listEntries, rooted } from './list.js';
import type { ListOptions } from './list.js';
import { listTree } from './list-tree.js';
import { Line } from './line.js';
import { ReceiptDesk } from './receipt.js';
import type { ReceiptParties } from './receipt.js';
import type { Reply } from './reply.js';
import { sendFile } from './send.js';
import type { Dial } from './side-channel.js';
import { readSpace } from './space.js';
import type { SpaceResult } from './space.js';
import { getToStandardOutput, sendStandardInput } from './standard-streams.js';
import type { StandardInputOptions, StandardOutputOptions } from './standard-streams.js';
import { RemoteReadStream, RemoteWriteStream } from './streams.js';
import type { ReadStreamOptions, WriteStreamOptions } from './streams.js';
import { getTree, sendTree } from './tree.js';
import type { GetTreeOptions, TreeOptions, TreeResult } from './tree-options.js';
import type { GetOptions, TransferOptions, TransferResult } from './transfer-options.js';

/** What a client is made of. */
export interface ClientParts extends ReceiptParties {
  readonly session: NativeSession;
  readonly dial: Dial;
  readonly host: string;
  readonly port: number;
  readonly software: string;
  readonly clockOffset: number;
  readonly channel: ChannelOptions;
  readonly reconnectMs: number;
}

/** Options of calls that have none but the signal. */
export interface SignalOptions {
  readonly signal?: AbortSignal;
}

/** A command that the server offers this client. */
export interface OfferedCommand {
  readonly verb: string;
  readonly summary: string;
}

/**
 * A logged-in client. Its requests run one after the other, in the order in which they were made; streams and recursive
 * listings have connections of their own, so that any number of them may be open beside other requests. Every call rejects with the signal's reason when its signal aborts.
 */
export class Client {
  readonly host: string;
  readonly port: number;
  /** The key that the server has proved to have. */
  readonly serverKey: PublicKey;
  /** What the server calls itself, e.g. `e2eeftp/0.1.0`. */
  readonly software: string;
  /** By how many seconds the server's clock was ahead of this one at the handshake; it tells whole seconds. */
  readonly clockOffset: number;
  readonly #line: Line;
  readonly #parts: ClientParts;
  readonly #receipts: ReceiptDesk;
  readonly #closing: AbortController = longLivedController();

  /** Clients are made by `connect`. @internal */
  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.port = parts.port;
    this.serverKey = parts.serverKey;
    this.software = parts.software;
    this.clockOffset = parts.clockOffset;
    this.#line = new Line(parts, this.#closing.signal);
    this.#receipts = new ReceiptDesk(parts);
  }

  get #channel(): Channel {
    return this.#line.channel;
  }

  /** Whether requests can be made: the client was not closed and its connection was not lost, as far as is known. */
  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /**
   * Stores a local file on the server. It appears under its name when all of it is there and verified. A `remotePath`
   * that ends with `/` or is a directory means: into it, under the same name. When the connection breaks, a new one is
   * made and the transfer goes on; what an earlier call has left of the same file is not sent again.
   */
  async send(localPath: string, remotePath: string, options: TransferOptions = {}): Promise<TransferResult> {
    const sent = await sendFile(this.#line, localPath, remotePath, options);
    return this.#receipts.note(sent, 'send', sent.path);
  }

  /**
   * Fetches a file. It appears under its name when all of it is there and verified. A `localPath` that ends with `/` or
   * is a directory means: into it, under the same name. When the connection breaks, a new one is made and the transfer
   * goes on; what an earlier call has left of the same file is not fetched again.
   */
  async get(remotePath: string, localPath: string, options: GetOptions = {}): Promise<TransferResult> {
    const got = await getFile(this.#line, this.serverKey.fingerprint, remotePath, localPath, options);
    return this.#receipts.note(got, 'get', remotePath);
  }

  /**
   * Stores what standard input gives until its end as a file, which appears under its name when all of it is there and
   * verified. Nothing else of the process may read from standard input, and `process.stdin` is not to be touched.
   */
  async sendStandardInput(remotePath: string, options: StandardInputOptions = {}): Promise<TransferResult> {
    const sent = await sendStandardInput(this.#channel, remotePath, options);
    return this.#receipts.note(sent, 'send', sent.path);
  }

  /**
   * Writes a file to standard output. Its bytes are authentic from the first on; that it is all of them is known only when
   * this resolves. What the process has written to `process.stdout` is to be flushed before.
   *
   * @throws E2eeftpError `E2EEFTP_IO` when standard output fails, or its other end is closed.
   */
  async getToStandardOutput(remotePath: string, options: StandardOutputOptions = {}): Promise<TransferResult> {
    const got = await getToStandardOutput(this.#channel, remotePath, options);
    return this.#receipts.note(got, 'get', remotePath);
  }

  /**
   * A receipt of a file that {@link send} or {@link get} of this client has moved: both sides sign what was moved, under
   * which name, and when. One for each transfer, of the last 64, and as long as the client is open.
   *
   * @param transfer what `send` or `get` gave back.
   * @throws E2eeftpError `E2EEFTP_RECEIPT` when the server does not sign, or signs something else;
   * `E2EEFTP_UNKNOWN_COMMAND` from a server that knows no receipts; `E2EEFTP_AGENT`.
   */
  receipt(transfer: TransferResult, options: SignalOptions = {}): Promise<Receipt> {
    return this.#receipts.ask(this.#channel, transfer, options.signal);
  }

  /**
   * Makes the remote directory `remotePath` a copy of the local directory `localPath`: what is there and equal in length
   * and time stays, what differs is replaced, what is missing is made. Each file appears when all of it is there and
   * verified. A name that fails is told to `onFailure` and does not end the rest. Large files go beside the others, on a
   * connection of their own. When the connection breaks, a new one is made and the rest goes on; what was moved before an
   * abort stays, and the next call goes on from there.
   *
   * @throws E2eeftpError when the tree as a whole can't be moved.
   */
  sendTree(localPath: string, remotePath: string, options: TreeOptions = {}): Promise<TreeResult> {
    return sendTree(this.#treeParts(), localPath, remotePath, options);
  }

  /** Makes the local directory `localPath` a copy of the remote directory `remotePath`; as {@link sendTree}. */
  getTree(remotePath: string, localPath: string, options: GetTreeOptions = {}): Promise<TreeResult> {
    return getTree(this.#treeParts(), remotePath, localPath, options);
  }

  /**
   * The entries of a directory, or the one of a file; in the order of the bytes of their paths, except for directories
   * of more than 10,000 names. The loop may make other requests: what is not consumed yet is then read ahead. With
   * `recursive` nothing is: such a listing has a connection of its own, and a loop that pauses for long (5 minutes, by
   * the server's default) ends with `E2EEFTP_CONNECTION_LOST`.
   */
  list(path = '/', options: ListOptions = {}): AsyncIterableIterator<Entry> {
    if (options.recursive === true) return listTree(this.#streamParts(), path, options);
    return listEntries(this.#channel, path, options.signal);
  }

  /** Deletes a file; a directory and all that is in it only with `recursive`. */
  async delete(path: string, options: SignalOptions & { readonly recursive?: boolean } = {}): Promise<void> {
    const { recursive = false, signal } = options;
    await this.#channel.request('DELETE', { path: pathToBytes(path), recursive }, { signal });
  }

  /** Type, size, time and mode of one entry; symbolic links are followed. */
  async stat(path: string, options: SignalOptions = {}): Promise<Entry> {
    const reply = await this.#channel.request('STAT', { path: pathToBytes(path) }, { signal: options.signal });
    return readStat(reply, path);
  }

  /**
   * Makes a directory. With `parents` also those that are missing above it, and one that is there already is a success.
   */
  async mkdir(path: string, options: SignalOptions & { readonly parents?: boolean } = {}): Promise<void> {
    const { parents = false, signal } = options;
    await this.#channel.request('MKDIR', { path: pathToBytes(path), parents }, { signal });
  }

  /**
   * Gives a file or directory another name, in one step; `to` is the final name. A symbolic link is moved itself. A
   * directory is never replaced.
   */
  move(from: string, to: string, options: MoveOptions = {}): Promise<void> {
    return moveName(this.#channel, from, to, options);
  }

  /**
   * Copies a file on the server, or with `recursive` a directory with all that is in it; `to` is the final name. Each
   * file appears under its name when it is whole, with the time and the permission bits of the original. A directory
   * that exists is merged into; symbolic links in a directory are copied as links. An abort stops it; files that are
   * complete by then stay.
   */
  copy(from: string, to: string, options: CopyOptions = {}): Promise<CopyResult> {
    return copyName(this.#channel, from, to, options);
  }

  /** Length and BLAKE3 root of a file, or of its bytes from `start` to `end`, computed on the server. */
  hash(path: string, options: HashOptions = {}): Promise<HashResult> {
    return hashRemote(this.#channel, path, options);
  }

  /** The room of the file system that holds `path`, a directory or a file. */
  space(path = '/', options: SignalOptions = {}): Promise<SpaceResult> {
    return readSpace(this.#channel, path, options);
  }

  /** Measures round trips and both directions with generated bytes, which touch no disk and are not stored. */
  bench(options: BenchOptions = {}): Promise<BenchResult> {
    return measurePath(this.#channel, options);
  }

  /** The cipher of the connection: `AES-256-GCM` or `ChaCha20-Poly1305`. */
  get suite(): string {
    return nativeSync(() => this.#parts.session.suite);
  }

  /** What the kernel knows of the connection; `null` where it tells nothing. Waits for a file that moves. */
  async connectionStats(): Promise<ConnectionStats | null> {
    const info = await native(() => this.#parts.session.tcpInfo());
    return info === null || info === undefined ? null : connectionStats(info);
  }

  /** Calls any command. */
  call(verb: string, args: RequestArgs = {}, options: CallOptions = {}): Promise<CallReply> {
    return callCommand(this.#channel, verb, args, options);
  }

  /** The commands that the server offers this client. */
  async commands(options: SignalOptions = {}): Promise<readonly OfferedCommand[]> {
    const reply = await this.#channel.request('HLIST', {}, { signal: options.signal });
    const { commands } = reply.members;
    if (!Array.isArray(commands)) throw unreadable('HLIST');
    return commands.map((item: ControlValue) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item) || item instanceof Uint8Array) {
        throw unreadable('HLIST');
      }
      const members = new ControlReader(item as RequestArgs as { readonly [key: string]: ControlValue });
      return { verb: members.text('verb'), summary: members.text('summary') };
    });
  }

  /** The content of a file, or of a part of it, as a Readable, on a connection of its own. */
  createReadStream(path: string, options: ReadStreamOptions = {}): RemoteReadStream {
    return new RemoteReadStream(this.#streamParts(), path, options);
  }

  /** A Writable that stores what is written to it as a file when it finishes, on a connection of its own. */
  createWriteStream(path: string, options: WriteStreamOptions = {}): RemoteWriteStream {
    return new RemoteWriteStream(this.#streamParts(), path, options);
  }

  /** As {@link createReadStream}, for Web APIs. */
  readable(path: string, options: ReadStreamOptions = {}): ReadableStream<Uint8Array> {
    return this.createReadStream(path, options).toWeb();
  }

  /**
   * As {@link createWriteStream}, for Web APIs. Closing it resolves when the file is stored. A signal belongs here rather
   * than to `pipeTo`, which waits until the server has taken the piece under way before it passes an abort on.
   */
  writable(path: string, options: WriteStreamOptions = {}): WritableStream<Uint8Array> {
    return this.createWriteStream(path, options).toWeb();
  }

  /**
   * Ends the connection; what still runs is aborted with `E2EEFTP_CLOSED` and leaves nothing half-done. Any number of
   * calls.
   */
  async close(): Promise<void> {
    this.#closing.abort(new E2eeftpError('E2EEFTP_CLOSED', 'the client was closed'));
    await this.#channel.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #treeParts() {
    const { dial, channel: options, reconnectMs } = this.#parts;
    const serverFingerprint = this.serverKey.fingerprint;
    const closing = this.#closing.signal;
    return { line: this.#line, dial, options, reconnectMs, serverFingerprint, closing };
  }

  #streamParts() {
    const { dial, channel } = this.#parts;
    return { dial, channel, closing: this.#closing.signal };
  }
}

function readStat(reply: Reply, path: string): Entry {
  const members = new ControlReader(reply.members);
  const type = typeOfLetter(reply.members['type']);
  const size = members.count('size');
  const modifiedMs = members.time('mtime');
  const mode = members.count('mode', 0o7777);
  if (type === null || size === null || modifiedMs === null || mode === null) throw unreadable('STAT');
  const full = rooted(path);
  return { path: full, name: remoteBaseName(full), type, size, modified: new Date(modifiedMs), mode };
}

function unreadable(verb: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_PROTOCOL', `the server’s answer to ${verb} can’t be read`);
}
