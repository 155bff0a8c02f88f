/**
 * One request on a connection of its own, whose body is fed or taken piece by piece: what a stream needs, which may stay
 * open as long as its user likes without holding up the client's other requests.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { BodyResult, NativeBodyReader, NativeBodyWriter, NativeSession } from '../../native.js';
import { PIECE_LENGTH, writePieces } from '../body-pieces.js';
import { encodeControl } from '../control-codec.js';
import { STATUS_BODY_FOLLOWS, STATUS_SEND_BODY, STATUS_AT_WORK } from '../status.js';
import { settlesWithin } from '../settles-within.js';
import type { ChannelOptions, RequestArgs } from './channel.js';
import { decodeReply, replyError } from './reply.js';
import type { Reply } from './reply.js';

const REQUEST_ID = 1;

/** Opens a session with the client's server. */
export type Dial = (signal: AbortSignal | undefined) => Promise<NativeSession>;

/** A connection that serves one request. */
export class SideChannel {
  readonly #session: NativeSession;
  readonly #options: ChannelOptions;
  #reader: NativeBodyReader | null = null;
  #writer: NativeBodyWriter | null = null;

  private constructor(session: NativeSession, options: ChannelOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Connects, sends the request, and waits until its body can flow. */
  static async open(
    dial: Dial,
    verb: string,
    args: RequestArgs,
    options: ChannelOptions,
    signal: AbortSignal | undefined,
  ): Promise<{ side: SideChannel; announcement: Reply }> {
    const side = new SideChannel(await dial(signal), options);
    try {
      const message = encodeControl({ ...args, id: REQUEST_ID, verb });
      await native(() => side.#session.sendControl(message));
      const announcement = await side.#reply();
      if (announcement.status === STATUS_SEND_BODY) side.#writer = side.#session.bodyWriter(REQUEST_ID);
      else if (announcement.status === STATUS_BODY_FOLLOWS) side.#reader = side.#session.bodyReader(REQUEST_ID);
      else throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server answered without the body');
      return { side, announcement };
    } catch (error) {
      side.#session.destroy();
      throw error;
    }
  }

  /** The next piece of the reply's body; `null` when all of it was read and verified. */
  async read(): Promise<Buffer | null> {
    const reader = this.#reader;
    if (reader === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server sent no body');
    try {
      return (await native(() => reader.read(PIECE_LENGTH))) ?? null;
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** Length and root of the body that was read. */
  async received(): Promise<BodyResult> {
    const result = await native(async () => this.#reader?.result());
    if (result === null || result === undefined) throw new E2eeftpError('E2EEFTP_INTERNAL', 'the body is not over');
    return result;
  }

  /** Sends a piece of the request's body; resolves when there is room for more. */
  async write(chunk: Uint8Array): Promise<void> {
    const writer = this.#writer;
    if (writer === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not ask for a body');
    try {
      await writePieces((piece) => native(() => writer.write(piece)), chunk);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** Ends the request's body. */
  async finish(): Promise<BodyResult> {
    const writer = this.#writer;
    if (writer === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not ask for a body');
    try {
      return await native(() => writer.finish());
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** The final reply. @throws the server's refusal. */
  finalReply(): Promise<Reply> {
    return this.#reply();
  }

  /** Ends the connection after the final reply. */
  async close(): Promise<void> {
    // The request is answered: nothing depends on the good-bye.
    await native(() => this.#session.close()).catch(() => this.#session.destroy());
  }

  /** Gives the request up: the server is told, and keeps nothing of it. */
  async abandon(): Promise<void> {
    const end = native(async () => {
      await this.#writer?.abort();
      await this.#reader?.stop();
    }).then(() => this.#reply());
    await settlesWithin(end, this.#options.abortGraceMs);
    this.#session.destroy();
  }

  /** When the server gave a body up, its final reply tells why. */
  async #explain(error: unknown): Promise<unknown> {
    const isPeersDoing =
      E2eeftpError.is(error, 'E2EEFTP_PEER_STOPPED') || E2eeftpError.is(error, 'E2EEFTP_PEER_ABORTED');
    if (!isPeersDoing) return error;
    return this.#reply().then(
      () => error,
      (reason: unknown) => reason,
    );
  }

  async #reply(): Promise<Reply> {
    for (;;) {
      const reply = await this.#nextReply();
      if (reply.status !== STATUS_AT_WORK) return reply;
    }
  }

  async #nextReply(): Promise<Reply> {
    const message = await native(() => this.#session.nextControl(this.#options.replyTimeoutMs));
    if (message === null || message === undefined) {
      throw new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the server closed the connection');
    }
    const reply = decodeReply(message);
    if (reply.id !== REQUEST_ID) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server replied to nothing');
    const refusal = replyError(reply);
    if (refusal !== null) throw refusal;
    return reply;
  }
}
