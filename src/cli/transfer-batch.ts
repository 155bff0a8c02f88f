/** Moves several files one after the other: progress, one line each, and what it all comes to. */
import {
  displayName,
  E2eeftpError,
  type ErrorCode,
  type OnProgress,
  type Retry,
  type TransferStats,
} from '../index.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-code.js';
import { formatBytes, formatDuration, formatRate } from './human-units.js';
import { createProgressDisplay, type ProgressDisplay } from './progress-display.js';
import { hinted, reportError, toE2eeftpError } from './report-error.js';
import { describeStats } from './stats-text.js';
import { describeTree, type TreeMoved } from './tree-transfer.js';
import type { TransferOptions } from './transfer-options.js';

/** What became of one file. */
interface Moved {
  /** The final name at the destination. */
  target: string;
  bytes: number;
  seconds: number;
  /** BLAKE3 in hexadecimal. */
  root: string;
  /** Bytes that crossed the network, where it was compressed. */
  sentBytes?: number;
  /** Bytes that were there already. */
  resumedBytes: number;
  /** Nothing was moved: the other side had it. */
  skipped?: boolean;
  /** What is said in place of `verified` when the two ends could not compare roots. */
  unverified?: string;
  /** With `--stats`. */
  stats?: TransferStats;
}

/** What `--dry-run` found out about one file. */
export interface Planned {
  target: string;
  bytes: number;
  /** Whether the name is taken; null when that can't be known. */
  replaces: boolean | null;
}

/** One file to move. */
export interface TransferJob {
  /** The source as it was given. */
  source: string;
  /** Its length when that is known beforehand. */
  total: number | null;
  move(onProgress: OnProgress, onRetry: (retry: Retry) => void): Promise<Moved | TreeMoved>;
  plan(): Promise<Planned | TreeMoved>;
}

/** After these the session is gone or the person wants no more: the remaining files are not tried. */
const FATAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'E2EEFTP_ABORTED',
  'E2EEFTP_TIMEOUT',
  'E2EEFTP_CONNECTION_LOST',
  'E2EEFTP_PROTOCOL',
  'E2EEFTP_CLOSED',
  'E2EEFTP_SHUTTING_DOWN',
]);

interface Totals {
  moved: Moved[];
  planned: Planned[];
  trees: TreeMoved[];
  failed: string[];
  firstFailure: number;
}

/** What to do about a name that is taken; asked to replace it, a server refuses for the sake of the key only. */
const TAKEN: Readonly<Record<TransferOptions['overwrite'], string>> = {
  refuse: 'choose another name, or --overwrite or --rename',
  replace: 'your key may not replace it: choose another name, or --rename',
  rename: 'choose another name',
};

/**
 * Runs the jobs in order. One that fails does not stop the others, unless the session itself is gone.
 * @returns the exit code: 0, that of the failure when nothing was moved, or 10 when some were moved and some not.
 */
export async function runTransfers(
  context: CliContext,
  operation: 'send' | 'get' | 'sync',
  jobs: readonly TransferJob[],
  options: TransferOptions,
): Promise<number> {
  const { output } = context;
  const display = createProgressDisplay(options.progress, output, context.env['TERM']);
  const totals: Totals = { moved: [], planned: [], trees: [], failed: [], firstFailure: EXIT.ok };
  const begin = performance.now();
  if (output.json) output.event({ type: 'start', operation, files: jobs.length, dryRun: options.dryRun });
  for (const [index, job] of jobs.entries()) {
    try {
      if (options.dryRun) {
        await planOne(context, job, totals);
        continue;
      }
      display.start(job.source, job.total);
      const moved = await job.move(watch(context, display, job), (retry) => tellRetry(context, job, retry));
      display.stop();
      if ('tree' in moved) tellTree(context, job, moved, totals, false);
      else {
        totals.moved.push(moved);
        tellMoved(context, job, moved);
      }
    } catch (thrown) {
      display.stop();
      const failure: unknown = context.signal.aborted ? context.signal.reason : thrown;
      const error = toE2eeftpError(hinted(failure, 'E2EEFTP_EXISTS', TAKEN[options.overwrite]));
      const exitCode = reportError(output, error, jobs.length > 1 ? job.source : null);
      if (totals.failed.length === 0) totals.firstFailure = exitCode;
      totals.failed.push(job.source);
      if (error.code === 'E2EEFTP_ABORTED' || error.code === 'E2EEFTP_TIMEOUT') return exitCode;
      if (!FATAL.has(error.code)) continue;
      totals.failed.push(...jobs.slice(index + 1).map((rest) => rest.source));
      break;
    }
  }
  return conclude(context, jobs, totals, (performance.now() - begin) / 1000, options.dryRun);
}

/** Shows progress, and counts it as a sign of life when there is any: reports arrive also while nothing moves. */
function watch(context: CliContext, display: ProgressDisplay, job: TransferJob): OnProgress {
  let last = '';
  let resumed = 0;
  return (progress) => {
    if (progress.resumed > 0 && resumed === 0) tellResumed(context, job, progress.resumed);
    resumed = progress.resumed;
    const now = `${progress.phase} ${progress.transferred} ${progress.entries ?? ''}`;
    if (now !== last) context.alive();
    last = now;
    display.update(progress);
  };
}

function tellResumed({ output }: CliContext, job: TransferJob, resumedBytes: number): void {
  if (output.json) output.event({ type: 'resume', file: job.source, resumedBytes });
  else output.detail(`${displayName(job.source)}: ${formatBytes(resumedBytes)} are there already`);
}

function tellRetry({ output }: CliContext, job: TransferJob, { error, attempt, delayMs }: Retry): void {
  if (output.json) {
    const { code, message } = error;
    output.event({ type: 'retry', file: job.source, attempt, delaySeconds: delayMs / 1000, code, message });
  } else if (attempt === 1) {
    output.warn(`${displayName(job.source)}: ${displayName(error.message)}; connecting again`);
  }
}

/** One line about a directory. */
function tellTree({ output }: CliContext, job: TransferJob, moved: TreeMoved, totals: Totals, dryRun: boolean): void {
  totals.trees.push(moved);
  if (moved.tree.failed > 0) totals.failed.push(job.source);
  if (output.json) return;
  output.note(`${displayName(job.source)} → ${displayName(moved.target)}: ${describeTree(moved.tree, dryRun)}`);
}

async function planOne(context: CliContext, job: TransferJob, totals: Totals): Promise<void> {
  const { output } = context;
  const planned = await job.plan();
  context.alive();
  if ('tree' in planned) {
    tellTree(context, job, planned, totals, true);
    return;
  }
  totals.planned.push(planned);
  const { target, bytes, replaces } = planned;
  if (output.json) {
    const { source } = job;
    output.event({
      type: 'file',
      source,
      target,
      action: 'would-move',
      bytes,
      seconds: 0,
      root: null,
      verified: false,
    });
  } else {
    const taken = replaces === true ? ', replacing what is there' : '';
    output.note(`would move ${displayName(job.source)} (${formatBytes(bytes)}) to ${displayName(target)}${taken}`);
  }
}

function tellMoved(context: CliContext, job: TransferJob, moved: Moved): void {
  const { output } = context;
  tellFile(context, job, moved);
  const { stats } = moved;
  if (stats === undefined) return;
  if (!output.json) {
    for (const line of describeStats(stats)) output.note(line);
    return;
  }
  const { limit, direction, bytes, seconds, local, peer } = stats;
  const { factor: limitedBy, sentence: advice } = limit;
  output.event({ type: 'stats', file: job.source, direction, bytes, seconds, local, peer, limitedBy, advice });
}

function tellFile({ output }: CliContext, job: TransferJob, moved: Moved): void {
  const { target, bytes, seconds, root, resumedBytes, sentBytes, unverified } = moved;
  const verified = unverified === undefined;
  const { skipped = false } = moved;
  if (output.json) {
    const action = skipped ? 'skipped' : 'moved';
    const known = root === '' ? null : root;
    output.event({
      type: 'file',
      source: job.source,
      target,
      action,
      bytes,
      seconds,
      root: known,
      verified: known !== null && verified,
    });
    return;
  }
  if (skipped) {
    const reason = root === '' ? 'same length and time' : 'same content';
    output.note(`${displayName(job.source)} → ${displayName(target)}: skipped, ${reason}`);
    return;
  }
  const parts = [
    `${displayName(job.source)} → ${displayName(target)}: ${formatBytes(bytes)} in ${formatDuration(seconds)}`,
    formatRate(seconds > 0 ? bytes / seconds : 0),
    `BLAKE3 ${root}`,
    verified ? output.style('green', 'verified') : output.style('yellow', unverified),
  ];
  if (sentBytes !== undefined) parts.push(`sent as ${formatBytes(sentBytes)}`);
  if (resumedBytes > 0) parts.push(`resumed ${formatBytes(resumedBytes)}`);
  output.note(parts.join(', '));
}

function conclude(
  context: CliContext,
  jobs: readonly TransferJob[],
  totals: Totals,
  seconds: number,
  dryRun: boolean,
): number {
  const { output } = context;
  const { moved, planned, trees, failed } = totals;
  const done = moved.length + planned.length + trees.length;
  if (done === 0 && failed.length > 0) return totals.firstFailure;
  const carried = moved.filter(({ skipped }) => skipped !== true);
  const inTrees = (name: keyof TreeMoved['tree']): number => trees.reduce((sum, { tree }) => sum + tree[name], 0);
  const failedInTrees = inTrees('failed');
  const failedFiles = failed.length - trees.filter(({ tree }) => tree.failed > 0).length + failedInTrees;
  const files = carried.length + (dryRun ? 0 : inTrees('files'));
  const bytes = carried.reduce((sum, one) => sum + one.bytes, 0) + inTrees('bytes');
  const allVerified = carried.every(({ unverified }) => unverified === undefined);
  const resumedBytes = carried.reduce((sum, one) => sum + one.resumedBytes, 0);
  if (output.json) {
    const [first, ...others] = moved;
    output.event({
      type: 'complete',
      files,
      bytes,
      sentBytes: moved.reduce((sum, one) => sum + (one.sentBytes ?? one.bytes - one.resumedBytes), 0),
      resumedBytes,
      skippedFiles: moved.length - carried.length + inTrees('skippedFiles'),
      failedFiles,
      deletedFiles: inTrees('deleted'),
      seconds,
      root: others.length === 0 && trees.length === 0 ? first?.root || null : null,
      verified: moved.length + trees.length > 0 && failed.length === 0 && allVerified,
    });
  } else if (moved.length > 1 || (moved.length > 0 && trees.length > 0)) {
    const skipped = carried.length < moved.length ? `, ${moved.length - carried.length} skipped` : '';
    output.note(
      `${files} files${skipped}, ${formatBytes(bytes)} in ${formatDuration(seconds)}${allVerified ? ', all verified' : ''}`,
    );
  }
  if (failed.length === 0) return EXIT.ok;
  const names = failed.map((name) => displayName(name)).join(', ');
  const told =
    failedInTrees > 0
      ? `${failedFiles} names failed, in or of: ${names}`
      : `${failed.length} of ${jobs.length} files failed: ${names}`;
  return reportError(
    output,
    new E2eeftpError('E2EEFTP_PARTIAL', told, {
      hint: 'the others are complete; run the command again for those named',
    }),
  );
}
