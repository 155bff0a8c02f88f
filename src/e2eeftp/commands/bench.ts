/**
 * BENCH: measures the path. `{direction: 'none' | 'up' | 'down'?, bytes?, stats?}` → 100 and a body, or 150 `{size}` and
 * a body, or neither → 200 `{bytes, root, stats?}`. The bytes are generated where they are sent and forgotten where they
 * arrive: no file is read or written.
 */
import { E2eeftpError } from '../../errors.js';
import { discardedTarget, generatedSource, native, nativeSync } from '../../native.js';
import type { BodyResult } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import type { Requirement } from '../requirement.js';

/** Who may use the line for something may measure it; each direction needs the permission that a file would need. */
export const BENCH_REQUIREMENT: Requirement = { anyOf: ['read', 'write'] };

/** The most bytes of one measurement. */
export const BENCH_MAX_BYTES: number = 16 * 1024 ** 3;
/** The longest measurement, in milliseconds. */
const MAX_MS = 60_000;

/** Answers a BENCH. */
export async function benchCommand(context: RequestContext): Promise<CommandReply> {
  context.require(BENCH_REQUIREMENT);
  const { input, exchange } = context;
  const direction = input.choice('direction', ['none', 'up', 'down']);
  const size = input.count('bytes', BENCH_MAX_BYTES) ?? 0;
  const wantsStats = input.boolean('stats', false);
  if (direction === 'none') return { text: 'OK' };
  context.require(direction === 'up' ? 'write' : 'read');
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    exchange.cancelTransfer();
  }, MAX_MS);
  try {
    const { bytes, root } = direction === 'up' ? await take(context, size) : await give(context, size);
    return { text: 'OK', bytes, root, ...(wantsStats ? exchange.stats() : {}) };
  } catch (error) {
    if (!isLate) throw error;
    throw new E2eeftpError('E2EEFTP_TOO_LARGE', `the measurement took longer than ${MAX_MS / 1000} s`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

async function take({ exchange }: RequestContext, size: number): Promise<BodyResult> {
  const target = nativeSync(() => discardedTarget());
  try {
    return await exchange.receiveFile(target, size);
  } finally {
    await native(() => target.abort());
  }
}

async function give({ exchange }: RequestContext, size: number): Promise<BodyResult> {
  const source = nativeSync(() => generatedSource(size));
  try {
    return await exchange.sendFile(source, { size }, { offset: 0, length: size });
  } finally {
    source.close();
  }
}
