/**
 * A client of an old server.
 */
import { isUtf8 } from 'node:buffer';
import { E2eeftpError } from '../../errors.js';
import { linkSignals, longLivedController } from '../../e2eeftp/client/abort.js';
import type { SignalOptions } from '../../e2eeftp/client/client.js';
import type { TransferResult } from '../../e2eeftp/client/transfer-options.js';
import type { PublicKey } from '../../identity/public-key.js';
import { native } from '../../native.js';
import { MAX_LISTING } from '../commands.js';
import { closedWithoutAnswer, readAnswer, requireStatus } from './classic-answer.js';
import { classicName, commandLine } from './classic-name.js';
import { getClassic, sendClassic } from './classic-transfers.js';
import type { ClassicGetOptions, ClassicSendOptions, WithConnection } from './classic-transfers.js';

/** What a client is made of. */
export interface ClassicClientParts {
  readonly host: string;
  readonly port: number;
  readonly serverKey: PublicKey;
  readonly replyTimeoutMs: number;
  readonly connection: WithConnection;
}

/**
 * A client of an old server, made by `connectClassic`. Every call is a connection of its own; calls do not wait for each
 * other. Names are plain names: there are no directories.
 *
 * Files are sealed on the way, and one that arrives here is authentic. Names, listings, and the answer that a file was
 * stored are not protected by the old protocol.
 */
export class ClassicClient {
  readonly host: string;
  readonly port: number;
  /** The key that the server has shown. */
  readonly serverKey: PublicKey;
  readonly #parts: ClassicClientParts;
  readonly #closing: AbortController = longLivedController();

  /** Clients are made by `connectClassic`. @internal */
  constructor(parts: ClassicClientParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.port = parts.port;
    this.serverKey = parts.serverKey;
  }

  /**
   * Stores a local file on the server, where it replaces what has the name. That it is there is the server's word, which
   * the protocol does not protect. Time and mode do not travel.
   */
  send(localPath: string, remoteName: string, options: ClassicSendOptions = {}): Promise<TransferResult> {
    return this.#call(options.signal, (run, signal) =>
      sendClassic(run, this.#parts.replyTimeoutMs, localPath, remoteName, { ...options, signal }),
    );
  }

  /** Fetches a file. It appears under its name when all of it is there and authentic. */
  get(remoteName: string, localPath: string, options: ClassicGetOptions = {}): Promise<TransferResult> {
    return this.#call(options.signal, (run, signal) =>
      getClassic(run, this.#parts.replyTimeoutMs, remoteName, localPath, { ...options, signal }),
    );
  }

  /** The names that the server has, in no order. What a name stands for is not told. */
  async list(options: SignalOptions = {}): Promise<readonly string[]> {
    return this.#names('LIST', options.signal, 'an old server without a file yet answers like this');
  }

  /** Deletes a file. */
  async delete(name: string, options: SignalOptions = {}): Promise<void> {
    const line = commandLine('DELETE', classicName(name));
    await this.#call(options.signal, (run, signal) =>
      run(signal, async (connection) => {
        await native(() => connection.write(line));
        const answer = await native(() => connection.readLine(this.#parts.replyTimeoutMs));
        requireStatus(
          readAnswer(answer, 'an old server answers like this when it can’t delete, e.g. a directory'),
          200,
        );
      }),
    );
  }

  /** The commands that the server offers. */
  async commands(options: SignalOptions = {}): Promise<readonly string[]> {
    return this.#names('HLIST', options.signal);
  }

  /** Ends what runs with `E2EEFTP_CLOSED`. Any number of calls. */
  async close(): Promise<void> {
    this.#closing.abort(new E2eeftpError('E2EEFTP_CLOSED', 'the client was closed'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #names(verb: string, signal: AbortSignal | undefined, closedHint?: string): Promise<readonly string[]> {
    const bytes = await this.#call(signal, (run, linked) =>
      run(linked, async (connection) => {
        await native(() => connection.write(commandLine(verb)));
        return native(() => connection.readToEnd(MAX_LISTING, this.#parts.replyTimeoutMs));
      }),
    );
    return readNames(bytes, closedHint);
  }

  async #call<T>(
    callerSignal: AbortSignal | undefined,
    use: (run: WithConnection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal, unlink } = linkSignals(callerSignal, this.#closing.signal);
    try {
      signal.throwIfAborted();
      return await use(this.#parts.connection, signal);
    } finally {
      unlink();
    }
  }
}

/** Reads a listing, which ends with the connection. Its length is in bytes, or in characters from an old server. */
function readNames(bytes: Buffer, closedHint: string | undefined): readonly string[] {
  const end = bytes.indexOf('\n');
  if (bytes.length === 0) throw closedWithoutAnswer(closedHint);
  const answer = readAnswer({ kind: 'text', text: end < 0 ? bytes : bytes.subarray(0, end) });
  requireStatus(answer, 200);
  const content = end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 1);
  if (!isUtf8(content)) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s listing can’t be read');
  const text = content.toString('utf8');
  if (answer.text !== String(content.length) && answer.text !== String(Array.from(text).length)) {
    throw new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the connection ended in the middle of the listing');
  }
  return text === '' ? [] : text.split('\n');
}
