/** Standard input and output as one end of a transfer. */
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type Client,
  type Compression,
  E2eeftpError,
  type OnProgress,
  type Overwrite,
  ProgressReporter,
  type TransferResult,
} from '../index.js';
import { EXIT } from './exit-code.js';

/** Options of both directions. */
export interface StreamTransferOptions {
  compress: Compression;
  onProgress: OnProgress;
  signal: AbortSignal;
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
  options: StreamTransferOptions & { overwrite: Overwrite },
): Promise<TransferResult> {
  const { overwrite, compress, signal, onProgress } = options;
  if (process.platform !== 'win32') return client.sendStandardInput(path, { overwrite, compress, signal, onProgress });
  const counter = new ByteCounter(() => null);
  return withProgress(counter, '-', options, async () => {
    const target = client.createWriteStream(path, { overwrite, signal });
    await pipeline(process.stdin, counter, target, { signal });
    return target.result;
  });
}

/** Writes a remote file to standard output. Its bytes are authentic from the first on; only the end proves that all came. */
export async function getToStandardOutput(
  client: Client,
  path: string,
  options: StreamTransferOptions,
): Promise<TransferResult> {
  const { signal, compress, onProgress } = options;
  if (process.platform !== 'win32') {
    return client.getToStandardOutput(path, { compress, signal, onProgress }).catch(orBrokenPipe);
  }
  const source = client.createReadStream(path, { signal });
  const counter = new ByteCounter(() => source.size);
  return withProgress(counter, path, options, async () => {
    await pipeline(source, counter, process.stdout, { signal, end: false });
    return source.result;
  });
}
