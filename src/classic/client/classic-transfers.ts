/**
 * Files to and from an old server: one sealed piece each.
 */
import { E2eeftpError } from '../../errors.js';
import { localTarget } from '../../e2eeftp/client/get.js';
import type { OnProgress } from '../../e2eeftp/client/progress.js';
import { trackTransfer } from '../../e2eeftp/client/tracked-transfer.js';
import type { Tracked } from '../../e2eeftp/client/tracked-transfer.js';
import type { Overwrite, TransferResult } from '../../e2eeftp/client/transfer-options.js';
import type { Durability } from '../../e2eeftp/commands/send.js';
import { classicSealedLen, isClassicSealedLen, native, nativeSync, openLocalSource, stageLocal } from '../../native.js';
import type { BodyResult, NativeClassicConnection, NativeTransfer } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathFromBytes, pathToBytes } from '../../storage/path-text.js';
import { readAnswer, requireStatus } from './classic-answer.js';
import { classicName, classicTarget, commandLine } from './classic-name.js';

/** Runs `use` with a new connection to the right server, and closes it; an abort closes it at once. */
export type WithConnection = <T>(
  signal: AbortSignal,
  use: (connection: NativeClassicConnection) => Promise<T>,
) => Promise<T>;

/** Options of `ClassicClient.send`. */
export interface ClassicSendOptions {
  /** Most bytes a second, as they travel; from 1024 on. @default no limit */
  readonly limitRate?: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** Options of `ClassicClient.get`. */
export interface ClassicGetOptions extends ClassicSendOptions {
  /** @default 'replace' */
  readonly overwrite?: Overwrite;
  /** Make directories that are missing above the target. @default true */
  readonly parents?: boolean;
  /** How far the file must be on the local disk before the call resolves. @default 'file' */
  readonly durability?: Durability;
}

/** Sends one file; see `ClassicClient.send`. */
export async function sendClassic(
  run: WithConnection,
  replyTimeoutMs: number,
  localPath: string,
  remoteName: string,
  options: ClassicSendOptions,
): Promise<TransferResult> {
  const started = performance.now();
  const name = classicTarget(remoteName, localPath);
  const source = await native(() => openLocalSource(pathToBytes(localPath))).catch((error: unknown) => {
    throw E2eeftpError.is(error) ? error.within(displayName(localPath)) : error;
  });
  try {
    const size = nativeSync(() => classicSealedLen(source.metadata.size));
    const head = commandLine('SEND', name, String(size));
    const move = async ({ transfer, signal }: Tracked): Promise<TransferResult> => {
      const sent = await run(signal, async (connection) => {
        const result = await native(() => connection.sendPiece(transfer, source, head, true));
        const answer = readAnswer(await native(() => connection.readLine(replyTimeoutMs)));
        requireStatus(answer, 226);
        if (result !== null && result !== undefined) return result;
        throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server says that it has a file that was not sent yet');
      });
      return finished(sent, name, started);
    };
    return await trackTransfer(localPath, options.onProgress, options.signal, move, options);
  } finally {
    source.close();
  }
}

/** Fetches one file; see `ClassicClient.get`. */
export async function getClassic(
  run: WithConnection,
  replyTimeoutMs: number,
  remoteName: string,
  localPath: string,
  options: ClassicGetOptions,
): Promise<TransferResult> {
  const started = performance.now();
  const name = classicName(remoteName);
  const move = async ({ transfer, signal }: Tracked): Promise<TransferResult> => {
    const target = await localTarget(name, localPath, options);
    const got = await run(signal, async (connection) => {
      await native(() => connection.write(commandLine('GET', name)));
      const answer = readAnswer(await native(() => connection.readLine(replyTimeoutMs)));
      requireStatus(answer, 200);
      const size = /^\d{1,16}$/.test(answer.text) ? Number(answer.text) : -1;
      if (!isClassicSealedLen(size)) {
        throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server announced a size that no file has');
      }
      return receive(connection, transfer, target, size, options);
    });
    return finished(got, pathFromBytes(target), started);
  };
  return trackTransfer(remoteName, options.onProgress, options.signal, move, options);
}

/** Receives the piece and puts the file into its place. */
async function receive(
  connection: NativeClassicConnection,
  transfer: NativeTransfer,
  target: Buffer,
  size: number,
  { overwrite = 'replace', parents = true, durability = 'file' }: ClassicGetOptions,
): Promise<BodyResult> {
  const local = async <T>(call: () => Promise<T>): Promise<T> =>
    native(call).catch((error: unknown) => {
      throw E2eeftpError.is(error) ? error.within(displayName(pathFromBytes(target))) : error;
    });
  const staged = await local(() => stageLocal(target, { overwrite: overwrite === 'replace', makeParents: parents }));
  try {
    const result = await native(() => connection.receivePiece(transfer, staged, size));
    await local(() => staged.commit({ durability }));
    return result;
  } catch (error) {
    // The failure that led here is the one to report. The staged file has no name that anybody looks for.
    await native(() => staged.abort()).catch(() => undefined);
    throw error;
  }
}

function finished({ bytes, root }: BodyResult, path: string, started: number): TransferResult {
  const seconds = (performance.now() - started) / 1000;
  return { bytes, root: root.toString('hex'), resumedBytes: 0, skipped: false, seconds, path };
}
