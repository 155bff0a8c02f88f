/** One line of what `doctor` finds. */

export type CheckStatus = 'ok' | 'warn' | 'fail';

/** One thing that was looked at. */
export interface Check {
  /** One or two words, the same in every run. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found. */
  readonly text: string;
  /** What to do about it; only where there is something to do. */
  readonly advice?: string;
  /** Exit code of the failure behind a `fail`. @default 1 */
  readonly exitCode?: number;
}

export function ok(name: string, text: string): Check {
  return { name, status: 'ok', text };
}

export function warn(name: string, text: string, advice: string): Check {
  return { name, status: 'warn', text, advice };
}

export function fail(name: string, text: string, advice: string, exitCode = 1): Check {
  return { name, status: 'fail', text, advice, exitCode };
}

/** The exit code of a run: that of the first failure; warnings are no failure. */
export function worstExitCode(checks: readonly Check[]): number {
  const failure = checks.find(({ status }) => status === 'fail');
  return failure === undefined ? 0 : (failure.exitCode ?? 1);
}
