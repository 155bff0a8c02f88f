/**
 * The BLAKE3 root of a file, on the server or on this machine.
 */
import { E2eeftpError } from '../../errors.js';
import { NativeTransfer, hashLocal, native, openLocalSource } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathToBytes } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import { orAbort } from './abort.js';
import type { Channel } from './channel.js';
import type { Reply } from './reply.js';
import { trackWork } from './work-progress.js';
import type { WorkOptions } from './work-progress.js';

/** Length and hash of a file. */
export interface HashResult {
  readonly bytes: number;
  /** BLAKE3 root of the content in hex: what `b3sum` prints. */
  readonly root: string;
}

/** Options of `client.hash`. */
export interface HashOptions extends WorkOptions {
  /** First byte that is hashed. @default 0 */
  readonly start?: number;
  /** Last byte that is hashed, inclusive as in Node's `fs.createReadStream`. @default the last one of the file */
  readonly end?: number;
}

/** Lets the server hash one of its files; see `Client.hash`. */
export async function hashRemote(channel: Channel, path: string, options: HashOptions): Promise<HashResult> {
  const { start, end } = options;
  checkRange(start, end);
  return trackWork(path, options, async (request) => {
    const reply = await channel.request('HASH', { path: pathToBytes(path), start, end }, request);
    return readHash(reply);
  });
}

/**
 * Length and BLAKE3 root of a file on this machine.
 *
 * @throws E2eeftpError as for reading the file; `E2EEFTP_SOURCE_CHANGED`; the signal's reason.
 */
export async function hashFile(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<HashResult> {
  const { signal } = options;
  signal?.throwIfAborted();
  const transfer = new NativeTransfer();
  const cancel = (): void => transfer.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const source = await native(() => openLocalSource(pathToBytes(path)));
    try {
      const { bytes, root } = await orAbort(
        native(() => hashLocal(transfer, source)),
        signal,
      );
      return { bytes, root: root.toString('hex') };
    } finally {
      source.close();
    }
  } catch (error) {
    throw E2eeftpError.is(error) && signal?.aborted !== true ? error.within(displayName(path)) : error;
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function checkRange(start = 0, end = Number.MAX_SAFE_INTEGER): void {
  const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
  if (!isRange) throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'start and end must be positions, in this order');
}

function readHash(reply: Reply): HashResult {
  const members = new ControlReader(reply.members);
  try {
    const root = members.bytes('root');
    const bytes = members.count('bytes');
    if (bytes !== null && root.length === 32) return { bytes, root: root.toString('hex') };
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s answer to HASH can’t be read', { cause: error });
  }
  throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s answer to HASH can’t be read');
}
