/**
 * Files from standard input and to standard output. Their bytes pass from descriptor to socket in a native thread; nothing
 * is read ahead of what fits into the socket, and no temporary file is made.
 */
import { E2eeftpError } from '../../errors.js';
import type { BodyResult, NativeTransfer } from '../../native.js';
import { pathToBytes } from '../../storage/path-text.js';
import { askFor } from '../compression.js';
import type { Channel } from './channel.js';
import { granted, sentBytes } from './compressed.js';
import { checkReceived, readAnnouncement } from './get.js';
import { measured } from './measured.js';
import { checkSent } from './send.js';
import type { Reply } from './reply.js';
import { trackTransfer } from './tracked-transfer.js';
import type { Tracked } from './tracked-transfer.js';
import type { TransferOptions, TransferResult } from './transfer-options.js';

/** Options of `client.sendStandardInput`. */
export type StandardInputOptions = Omit<TransferOptions, 'preserve'>;
/** Options of `client.getToStandardOutput`. */
export type StandardOutputOptions = Pick<TransferOptions, 'compress' | 'limitRate' | 'stats' | 'onProgress' | 'signal'>;

/** Sends standard input; see `Client.sendStandardInput`. */
export async function sendStandardInput(
  channel: Channel,
  remotePath: string,
  options: StandardInputOptions,
): Promise<TransferResult> {
  const { overwrite = 'replace', parents = true, compress, durability } = options;
  const wantsStats = options.stats === true;
  const started = performance.now();
  const move = async ({ transfer, signal }: Tracked): Promise<TransferResult> => {
    let sent: BodyResult | null = null;
    let stopped: unknown = null;
    const reply = await channel.request(
      'SEND',
      {
        path: pathToBytes(remotePath),
        overwrite,
        parents,
        durability,
        stats: wantsStats ? true : undefined,
        ...askFor(compress),
      },
      {
        signal,
        send: async (body, asked) => {
          sent = await body.fromStandardInput(transfer, granted(asked, compress)).catch((error: unknown) => {
            stopped = error;
            throw error;
          });
        },
      },
    );
    // A server that wanted no more of it may call that a success: for a file it is none.
    if (stopped !== null) throw stopped;
    const { path } = checkSent(reply, given(sent), remotePath);
    return outcome(given(sent), transfer, started, path, wantsStats ? { direction: 'up', reply } : null);
  };
  return trackTransfer('-', options.onProgress, options.signal, move, options);
}

/** Writes a file to standard output; see `Client.getToStandardOutput`. */
export async function getToStandardOutput(
  channel: Channel,
  remotePath: string,
  options: StandardOutputOptions,
): Promise<TransferResult> {
  const { compress } = options;
  const wantsStats = options.stats === true;
  const started = performance.now();
  const move = async ({ transfer, signal }: Tracked): Promise<TransferResult> => {
    let received: BodyResult | null = null;
    const reply = await channel.request(
      'GET',
      { path: pathToBytes(remotePath), stats: wantsStats ? true : undefined, ...askFor(compress) },
      {
        signal,
        receive: async (body, announcement) => {
          const { size } = readAnnouncement(announcement);
          received = await body.toStandardOutput(size, transfer, granted(announcement, compress) !== 'none');
        },
      },
    );
    checkReceived(reply, given(received));
    return outcome(given(received), transfer, started, '-', wantsStats ? { direction: 'down', reply } : null);
  };
  return trackTransfer(remotePath, options.onProgress, options.signal, move, options);
}

function given(result: BodyResult | null): BodyResult {
  if (result !== null) return result;
  throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server answered without the body');
}

function outcome(
  { bytes, root }: BodyResult,
  transfer: NativeTransfer,
  started: number,
  path: string,
  measure: { readonly direction: 'up' | 'down'; readonly reply: Reply } | null,
): TransferResult {
  const seconds = (performance.now() - started) / 1000;
  const stats =
    measure === null ? {} : { stats: measured(measure.direction, transfer, measure.reply, { bytes, seconds }) };
  const moved = { bytes, root: root.toString('hex'), resumedBytes: 0, skipped: false, ...sentBytes(transfer) };
  return { ...moved, seconds, path, ...stats };
}
