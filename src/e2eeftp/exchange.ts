/**
 * The server's half of one request: the messages and bodies that pass between its arrival and its final reply. It keeps
 * the order of the protocol: at most one body in, then at most one body out, then the final reply.
 */
import { E2eeftpError } from '../errors.js';
import { NativeTransfer, native } from '../native.js';
import type {
  BlocksResult,
  BodyResult,
  NativeBlocks,
  NativeBodyReader,
  NativeLaneOffer,
  NativeSession,
  NativeSource,
  NativeStaged,
  NativeStorage,
  NativeView,
} from '../native.js';
import type { Grant } from '../storage/grant.js';
import { PIECE_LENGTH, writeSource } from './body-pieces.js';
import type { FilePart } from './byte-range.js';
import type { BodySource } from './command-registry.js';
import { COMPRESSED } from './compression.js';
import type { Compression } from './compression.js';
import { encodeControl } from './control-codec.js';
import type { ControlMap, ControlValue } from './control-value.js';
import type { NameReservations } from './name-reservation.js';
import type { RunningUploads } from './running-uploads.js';
import type { Peer } from './request-context.js';
import type { TransferLedger } from './transfer-ledger.js';
import { STATUS_BODY_FOLLOWS, STATUS_SEND_BODY, STATUS_AT_WORK, AT_WORK_MS } from './status.js';
import { encodeSideStats, sideStats } from './transfer-stats.js';

/** Most further connections that one transfer is offered. */
const MAX_LANES = 15;

/** What the requests of one session share. */
export interface SessionState {
  readonly channel: NativeSession;
  readonly grant: Grant;
  readonly peer: Peer;
  /** The client's `/`, without its restrictions: for checks that the server makes for itself. */
  readonly storage: NativeStorage;
  /** The client's `/` under its grant. */
  readonly view: NativeView;
  /** The names that the server has promised to uploads under way. */
  readonly reservations: NameReservations;
  /** The uploads by blocks that the server is receiving. */
  readonly uploads: RunningUploads;
  /** The files that receipts may be asked of. */
  readonly transfers: TransferLedger;
  /** Aborts when the session has to end. */
  readonly signal: AbortSignal;
}

/** A file that was moved in full, or a part of one that was fetched. */
export interface CompletedFile {
  /** `in`: stored by the client; `out`: fetched by it. */
  readonly direction: 'in' | 'out';
  readonly path: string;
  readonly bytes: number;
  /** BLAKE3 root, hex. */
  readonly root: string;
  /** Set when only a part was fetched: where it begins. `bytes` and `root` are those of the part. */
  readonly offset?: number;
}

/** A member list of a reply. */
type Members = { readonly [member: string]: ControlValue | undefined };

/** One request's messages and bodies. */
export class Exchange {
  readonly session: SessionState;
  /** Request id and stream id. */
  readonly id: number;
  /** Members of the reply that announces the body. */
  announcement: Members = {};
  /** Set by a command that moved a file. */
  completed: CompletedFile | null = null;
  /** Failures beside the one that the client is told: for the log. */
  readonly notes: unknown[] = [];
  readonly #releases: (() => void)[] = [];
  #reader: NativeBodyReader | null = null;
  #bodyAsked = false;
  #transferred: NativeTransfer | null = null;
  #replyBegun = false;
  #dead = false;

  constructor(session: SessionState, id: number) {
    this.session = session;
    this.id = id;
  }

  /** Remembers a failure for the log. */
  note(failure: unknown): void {
    this.notes.push(failure);
  }

  /** Has `release` called when the request is over, whether or not its body was ever begun. It must not throw. */
  atEnd(release: () => void): void {
    this.#releases.push(release);
  }

  /** The request is over, in whatever way. */
  end(): void {
    for (const release of this.#releases.splice(0)) release();
  }

  /** Sends a reply or a provisional reply. */
  async reply(status: number, text: string, members: Members = {}): Promise<void> {
    await this.send(this.encode(status, text, members));
  }

  /** A reply for {@link send}. @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when it can't travel. */
  encode(status: number, text: string, members: Members = {}): Buffer {
    return encodeControl({ ...members, id: this.id, status, text });
  }

  /** Sends what {@link encode} made. */
  async send(message: Buffer): Promise<void> {
    await this.#watch(() => this.session.channel.sendControl(message));
  }

  /**
   * Runs `work`, which may take its time, and tells the client meanwhile that its request is being worked on. Only
   * outside of a body, and when nothing else is sent.
   */
  async patiently<T>(work: () => Promise<T>): Promise<T> {
    let telling = null as Promise<void> | null;
    const tell = async (): Promise<void> => {
      // A session that died meanwhile is noticed by whoever sends the next reply.
      if (!this.#dead) await this.reply(STATUS_AT_WORK, 'At work').catch(() => undefined);
      telling = null;
    };
    const timer = setInterval(() => {
      telling ??= tell();
    }, AT_WORK_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      // Nothing may overtake it: after the next reply a body may run.
      await telling;
    }
  }

  /** Whether the client has asked to stop this request, as far as is known; only while no body is under way. */
  async heardStop(): Promise<boolean> {
    return this.#watch(() => this.session.channel.heardStop(this.id));
  }

  /** Asks for the request's body and receives it into a staged file. */
  async receiveFile(
    staged: NativeStaged,
    expectedLen: number | null,
    compress: Compression = 'none',
  ): Promise<BodyResult> {
    this.#askOnce();
    const { channel } = this.session;
    return this.#transfer(async (transfer) => {
      // Only a transfer that can start at once is begun: one that waits would look stalled to the client.
      await this.patiently(() => channel.reservePump(transfer));
      if (compress === 'none') {
        await this.reply(STATUS_SEND_BODY, 'Send the file');
        return channel.receiveFile(transfer, staged, this.id, expectedLen ?? -1);
      }
      await this.reply(STATUS_SEND_BODY, 'Send the file', { compress: COMPRESSED });
      return channel.receiveCompressedFile(transfer, staged, this.id, expectedLen ?? -1);
    });
  }

  /**
   * Asks for the request's body by blocks and receives it.
   *
   * @param begin is told the transfer before anything moves.
   */
  async receiveBlocks(
    blocks: NativeBlocks,
    lanes: number,
    begin: (transfer: NativeTransfer) => void,
  ): Promise<BlocksResult> {
    this.#askOnce();
    const { channel } = this.session;
    return this.#transfer(async (transfer) => {
      begin(transfer);
      await this.patiently(() => channel.reservePump(transfer));
      return this.#withLanes(lanes, async (offer) => {
        await this.reply(STATUS_SEND_BODY, 'Send what is missing', { blocks: true, lanes: offer.ids });
        return channel.receiveBlocks(transfer, blocks, this.id, offer);
      });
    });
  }

  /** Announces a file with `members` and sends it by blocks. */
  async sendBlocks(source: NativeSource, members: Members, size: number, lanes: number): Promise<BlocksResult> {
    const { channel } = this.session;
    return this.#transfer(async (transfer) => {
      await this.patiently(() => channel.reservePump(transfer));
      this.#replyBegun = true;
      return this.#withLanes(lanes, async (offer) => {
        await this.reply(STATUS_BODY_FOLLOWS, 'Say what you have', { ...members, blocks: true, lanes: offer.ids });
        return channel.sendBlocks(transfer, source, this.id, size, offer);
      });
    });
  }

  /** Offers the client up to `count` further connections for what `run` does. */
  async #withLanes<T>(count: number, run: (offer: NativeLaneOffer) => Promise<T>): Promise<T> {
    const offer = await this.session.channel.offerLanes(Math.min(count, MAX_LANES));
    try {
      return await run(offer);
    } finally {
      offer.close();
    }
  }

  /** Runs a dialog in both directions: a body of the request and one of the reply at the same time. */
  async dialog<T>(run: (channel: NativeSession, transfer: NativeTransfer) => Promise<T>): Promise<T> {
    this.#askOnce();
    const { channel } = this.session;
    return this.#transfer(async (transfer) => {
      await this.patiently(() => channel.reservePump(transfer));
      this.#replyBegun = true;
      await this.reply(STATUS_SEND_BODY, 'Begin');
      return run(channel, transfer);
    });
  }

  /** Announces a body with `members` and sends `part` of `source` as that body. */
  async sendFile(
    source: NativeSource,
    members: Members,
    part: FilePart,
    compress: Compression = 'none',
  ): Promise<BodyResult> {
    const { channel } = this.session;
    return this.#transfer(async (transfer) => {
      await this.patiently(() => channel.reservePump(transfer));
      this.#replyBegun = true;
      const { offset, length } = part;
      if (compress === 'none') {
        await this.reply(STATUS_BODY_FOLLOWS, 'File follows', members);
        return channel.sendFile(transfer, source, this.id, offset, length);
      }
      await this.reply(STATUS_BODY_FOLLOWS, 'File follows', { ...members, compress: COMPRESSED });
      return channel.sendCompressedFile(transfer, source, this.id, offset, length, compress);
    });
  }

  /** Announces a body with `members` and sends what `source` yields. */
  async sendBody(source: BodySource, members: Members): Promise<BodyResult> {
    this.#replyBegun = true;
    await this.reply(STATUS_BODY_FOLLOWS, 'Body follows', members);
    const writer = this.session.channel.bodyWriter(this.id);
    try {
      await writeSource((piece) => this.#watch(() => writer.write(piece)), source, this.session.signal);
    } catch (error) {
      await this.#watch(() => writer.abort()).catch(ignoreEndedBody);
      throw error;
    }
    return this.#watch(() => writer.finish());
  }

  /** See `RequestContext.body`. */
  async *body(): AsyncGenerator<Buffer, void, undefined> {
    this.#askOnce();
    await this.reply(STATUS_SEND_BODY, 'Send the body');
    const reader = this.session.channel.bodyReader(this.id);
    this.#reader = reader;
    try {
      for (;;) {
        this.session.signal.throwIfAborted();
        const piece = await this.#watch(() => reader.read(PIECE_LENGTH));
        if (piece === null || piece === undefined) break;
        yield piece;
      }
      this.#reader = null;
    } finally {
      await this.endBody();
    }
  }

  /** Stops and drains a request body that was begun and not read to its end; after it the session is in step again. */
  async endBody(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    if (reader !== null) await this.#watch(() => reader.stop()).catch(ignoreEndedBody);
  }

  /** Gives up the file body that is under way, if there is one. */
  cancelTransfer(): void {
    this.#transferred?.cancel();
  }

  /** The member `stats` of the final reply: where the time of the file went that moved last. */
  stats(): { readonly stats?: ControlMap } {
    return this.#transferred === null ? {} : { stats: encodeSideStats(sideStats(this.#transferred.stats())) };
  }

  /** Whether the session can't be used any more: nothing is to be sent. */
  get isDead(): boolean {
    return this.#dead;
  }

  async #watch<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await native(call);
    } catch (error) {
      if (isSessionDead(error)) this.#dead = true;
      throw error;
    }
  }

  #askOnce(): void {
    // The other order would break the session.
    if (this.#replyBegun) {
      throw new E2eeftpError(
        'E2EEFTP_INVALID_ARGUMENT',
        'the body of a request is read before that of the reply begins',
      );
    }
    if (this.#bodyAsked) throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a request has only one body');
    this.#bodyAsked = true;
  }

  async #transfer<T>(run: (transfer: NativeTransfer) => Promise<T>): Promise<T> {
    const { signal } = this.session;
    signal.throwIfAborted();
    const transfer = new NativeTransfer();
    this.#transferred = transfer;
    const cancel = (): void => transfer.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#watch(() => run(transfer));
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }
}

/** Whether an error of a native session means that the session can't be used any more. */
export function isSessionDead(error: unknown): boolean {
  return (
    E2eeftpError.is(error, 'E2EEFTP_CONNECTION_LOST') ||
    E2eeftpError.is(error, 'E2EEFTP_TIMEOUT') ||
    E2eeftpError.is(error, 'E2EEFTP_PROTOCOL') ||
    E2eeftpError.is(error, 'E2EEFTP_CLOSED')
  );
}

/** A body that failed has ended already; ending it again tells nothing new. A dead session does. */
function ignoreEndedBody(error: unknown): void {
  if (isSessionDead(error)) throw error;
}
