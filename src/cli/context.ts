/** What a verb gets to work with, and what a verb is. */
import type { Command, OptionValues } from 'commander';
import type { GlobalOptions } from './global-options.js';
import type { Output } from './output.js';
import type { Settings } from './settings/settings.js';

/** One run of the command line. */
export interface CliContext {
  readonly output: Output;
  readonly globals: GlobalOptions;
  /** All settings, with who gave each, and the peers of the configuration file. */
  readonly settings: Settings;
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by ctrl-C, SIGTERM, or the `--timeout`; its reason is the error to report. */
  readonly signal: AbortSignal;
  /** Tells the `--timeout` that the peer showed a sign of life. */
  readonly alive: () => void;
  /** Stops the `--timeout` until the next `alive()`: a person is being asked. */
  readonly pauseTimeout: () => void;
}

/** A verb of the command line. */
export interface Verb {
  /** Two command lines, as they are typed. */
  readonly examples: readonly [string, string];
  /** Declares arguments and options. */
  configure(command: Command): void;
  /**
   * Does the work and answers the exit code (nothing: 0). Failures are thrown.
   * @param operands the words after the verb, in order.
   * @param options the verb's own options; those that are settings hold what the environment or the file says, too.
   */
  run(context: CliContext, operands: string[], options: OptionValues): Promise<number | void>;
  /** True for a verb that answers SIGINT, SIGTERM and SIGHUP by itself. */
  readonly handlesSignals?: boolean;
}
