/** Does the same with each operand: one that fails does not stop the others. */
import { displayName, E2eeftpError, errorTable } from '../index.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-code.js';
import { reportError } from './report-error.js';

/** The error, naming what it is about: what a server answers about one of its files does not repeat the file's name. */
export function aboutOperand(error: unknown, operand: string): unknown {
  if (!E2eeftpError.is(error) || error.message.includes(operand)) return error;
  const { status } = errorTable[error.code];
  return status === null || status === 401 || status >= 500 ? error : error.within(operand);
}

/**
 * @returns 0, the exit code of the failure when none succeeded, or 10 when some did.
 * @throws what `use` throws when there is one operand only, or once the run is aborted.
 */
export async function runEach(
  context: CliContext,
  operands: readonly string[],
  use: (operand: string, index: number) => Promise<void>,
): Promise<number> {
  const failed: string[] = [];
  let firstFailure: number = EXIT.ok;
  for (const [index, operand] of operands.entries()) {
    try {
      await use(operand, index);
      context.alive();
    } catch (error) {
      if (context.signal.aborted) throw error;
      if (operands.length === 1) throw aboutOperand(error, operand);
      const exitCode = reportError(context.output, error, operand);
      if (failed.length === 0) firstFailure = exitCode;
      failed.push(operand);
    }
  }
  if (failed.length === 0) return EXIT.ok;
  if (failed.length === operands.length) return firstFailure;
  const names = failed.map((name) => displayName(name)).join(', ');
  return reportError(
    context.output,
    new E2eeftpError('E2EEFTP_PARTIAL', `${failed.length} of ${operands.length} failed: ${names}`),
  );
}
