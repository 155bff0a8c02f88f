/** Standard input and output as one end of a transfer. */
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type Client,
  type Compression,
  type Durability,
  E2eeftpError,
  type OnProgress,
  type Overwrite,
  ProgressReporter,
  type TransferResult,
} from '../index.js';
import { EXIT } from './exit-code.js';
import type { TransferOptions } from './transfer-options.js';

/** Options of both directions. */
export interface StreamTransferOptions {
  compress: Compression;
  onProgress: OnProgress;
  signal: AbortSignal;
  /** Bytes a second. */
  limitRate?: number;
  /** Measure where the time goes. */
  stats?: boolean;
}

/** The limit of a transfer. */
export function limitedTo({ limitRate }: Pick<StreamTransferOptions, 'limitRate'>): { limitRate?: number } {
  return limitRate === undefined ? {} : { limitRate };
}

/** What of a transfer's options is about pace and figures. */
export function pace(options: TransferOptions['moving']): Pick<StreamTransferOptions, 'limitRate' | 'stats'> {
  return { ...limitedTo(options), ...(options.stats === true ? { stats: true } : {}) };
}

/** Lets pieces pass no faster than a rate; what was waited too long for is made up for by a tenth of a second. */
class Throttle extends Transform {
  readonly #rate: number;
  #paidAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(rate: number) {
    super();
    this.#rate = rate;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const now = performance.now();
    this.#paidAt = Math.max(this.#paidAt, now - 100) + (chunk.length / this.#rate) * 1000;
    this.#timer = setTimeout(() => callback(null, chunk), Math.max(0, this.#paidAt - now));
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    callback(error);
  }
}

/** The throttle, where there is a limit. */
function throttles(limitRate: number | undefined): Transform[] {
  return limitRate === undefined ? [] : [new Throttle(limitRate)];
}

/** Counts the bytes that pass; a progress reporter reads it as it reads a native transfer. */
class ByteCounter extends Transform {
  #bytes = 0;
  readonly #total: () => number | null;

  /** @param total the length, or null while it is not known. */
  constructor(total: () => number | null) {
    super();
    this.#total = total;
  }

  progress(): { transferred: number; total: number; phase: string } {
    const phase = this.readableEnded ? 'finishing' : 'moving';
    return { transferred: this.#bytes, total: this.#total() ?? -1, phase };
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#bytes += chunk.length;
    callback(null, chunk);
  }
}

async function withProgress(
  counter: ByteCounter,
  file: string,
  { onProgress }: StreamTransferOptions,
  run: () => Promise<TransferResult | null>,
): Promise<TransferResult> {
  const reporter = new ProgressReporter(counter, file, onProgress, (error) => counter.destroy(error as Error));
  try {
    const result = await run();
    // A stream that ended without an error has its result.
    if (result === null) throw new E2eeftpError('E2EEFTP_INTERNAL', 'the stream ended without a result');
    reporter.finish(result.bytes);
    return result;
  } finally {
    reporter.stop();
  }
}

/** A reader that went away (`e2eeftp get … - | head`) is no mistake of anybody. */
function orBrokenPipe(error: unknown): never {
  if (E2eeftpError.is(error, 'E2EEFTP_IO') && error.message.endsWith('standard output is closed')) {
    process.exit(EXIT.brokenPipe);
  }
  throw error;
}

/**
 * Sends standard input, whose length is not known, to a remote name. When it breaks off or the run is aborted nothing
 * appears under that name.
 */
export async function sendStandardInput(
  client: Client,
  path: string,
  options: StreamTransferOptions & { overwrite: Overwrite; durability?: Durability },
): Promise<TransferResult> {
  const { overwrite, signal } = options;
  if (process.platform !== 'win32') return client.sendStandardInput(path, options);
  const counter = new ByteCounter(() => null);
  return withProgress(counter, '-', options, async () => {
    const target = client.createWriteStream(path, { overwrite, signal });
    await pipeline([process.stdin, ...throttles(options.limitRate), counter, target], { signal });
    return target.result;
  });
}

/** Writes a remote file to standard output. Its bytes are authentic from the first on; only the end proves that all came. */
export async function getToStandardOutput(
  client: Client,
  path: string,
  options: StreamTransferOptions,
): Promise<TransferResult> {
  const { signal } = options;
  if (process.platform !== 'win32') return client.getToStandardOutput(path, options).catch(orBrokenPipe);
  const source = client.createReadStream(path, { signal });
  const counter = new ByteCounter(() => source.size);
  return withProgress(counter, path, options, async () => {
    await pipeline([source, ...throttles(options.limitRate), counter, process.stdout], { signal, end: false });
    return source.result;
  });
}
