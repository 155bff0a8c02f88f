/** Shows how far a server is with a copy or a hash. */
import type { WorkOptions } from '../index.js';
import type { CliContext } from './context.js';
import type { ProgressDisplay } from './progress-display.js';

/** The options of such a call: every sign of the server counts for the `--timeout`, also while nothing moves. */
export function showWork(context: CliContext, display: ProgressDisplay): WorkOptions {
  const { signal, alive } = context;
  return { signal, onAtWork: alive, onProgress: (progress) => display.update(progress) };
}
