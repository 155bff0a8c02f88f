/**
 * What was measured of one transfer, put together for whoever asked for it.
 */
import type { NativeTransfer } from '../../native.js';
import { readSideStats, sideStats } from '../transfer-stats.js';
import { limitingFactor } from './limiting-factor.js';
import type { Limit, TransferFigures } from './limiting-factor.js';
import type { Reply } from './reply.js';

/** Where the time of a transfer went, on both sides, and what limits it. */
export interface TransferStats extends TransferFigures {
  readonly limit: Limit;
}

/** The figures of a transfer that is over; those of the server as its final reply tells them. */
export function measured(
  direction: TransferFigures['direction'],
  transfer: NativeTransfer,
  reply: Reply,
  { bytes, seconds }: { readonly bytes: number; readonly seconds: number },
): TransferStats {
  const local = sideStats(transfer.stats());
  const peer = readSideStats(reply.members['stats']);
  const figures = { direction, bytes, seconds, local, peer };
  return { ...figures, limit: limitingFactor(figures) };
}
