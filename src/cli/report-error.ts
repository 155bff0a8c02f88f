/** How a failure is told: `error[CODE]: cause`, the next step, and the exit code. */
import { displayName, E2eeftpError, type ErrorCode } from '../index.js';
import type { Output } from './output.js';

/** What the codes of the operating system mean for files on this machine. */
const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'E2EEFTP_NOT_FOUND',
  EACCES: 'E2EEFTP_NOT_PERMITTED',
  EPERM: 'E2EEFTP_NOT_PERMITTED',
  EROFS: 'E2EEFTP_READ_ONLY',
  EEXIST: 'E2EEFTP_EXISTS',
  EISDIR: 'E2EEFTP_IS_DIRECTORY',
  ENOTDIR: 'E2EEFTP_NOT_DIRECTORY',
  ENOTEMPTY: 'E2EEFTP_NOT_EMPTY',
  ENOSPC: 'E2EEFTP_NO_SPACE',
  EDQUOT: 'E2EEFTP_NO_SPACE',
  EMFILE: 'E2EEFTP_TOO_MANY_OPEN',
  ENFILE: 'E2EEFTP_TOO_MANY_OPEN',
  ENAMETOOLONG: 'E2EEFTP_BAD_PATH',
  EADDRINUSE: 'E2EEFTP_CONFIG',
  EIO: 'E2EEFTP_IO',
};

/** What to do next, for errors that come without their own hint. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  E2EEFTP_CONNECT: 'check the host, the port (-P) and that the server runs and listens there',
  E2EEFTP_UNKNOWN_HOST: 'check the spelling of the host name and your network',
  E2EEFTP_AUTH_REFUSED: "ask the server's operator to add your public key: e2eeftp authorize KEY",
  E2EEFTP_KEY_ENCRYPTED: 'give --passphrase-file or E2EEFTP_PASSPHRASE, run it at a terminal, or ssh-add the key',
  E2EEFTP_WRONG_PASSPHRASE: 'check --passphrase-file and E2EEFTP_PASSPHRASE, which come before the prompt',
  E2EEFTP_AGENT: 'ssh-add -l lists what the ssh-agent has; SSH_AUTH_SOCK says where it is',
  E2EEFTP_SERVER_KEY_UNKNOWN:
    'compare fingerprints with its operator, then: e2eeftp trust PEER FINGERPRINT, or use --server-key',
  E2EEFTP_SERVER_KEY_CHANGED:
    'someone may be in between. Only if its operator confirms the new fingerprint: e2eeftp trust PEER FINGERPRINT',
  E2EEFTP_NOT_PERMITTED:
    "your key does not allow this (e2eeftp commands PEER lists what it does), or the server's own file permissions do not",
  E2EEFTP_EXISTS: 'choose another name',
  E2EEFTP_NOT_EMPTY: 'e2eeftp rm -r removes a directory with all it holds',
  E2EEFTP_UNKNOWN_COMMAND: 'e2eeftp commands PEER lists the commands of that server',
  E2EEFTP_INTEGRITY: 'nothing was written under the final name; try again',
  E2EEFTP_SOURCE_CHANGED: 'nothing was written under the final name; try again when the file is at rest',
  E2EEFTP_NO_SPACE: 'nothing was written under the final name; make room and try again',
  E2EEFTP_INTERNAL: 'this is a defect of e2eeftp; please report it with the output of -vv',
};

/** The error with `hint`, when it has the code `code` and no hint of its own. */
export function hinted(error: unknown, code: ErrorCode, hint: string): unknown {
  if (!E2eeftpError.is(error, code) || error.hint !== undefined) return error;
  const { message, status, reference } = error;
  return new E2eeftpError(code, message, { status, hint, reference, cause: error });
}

/** Any thrown value as the error to report. */
export function toE2eeftpError(error: unknown): E2eeftpError {
  if (E2eeftpError.is(error)) return error;
  if (error instanceof Error) {
    const system = error as NodeJS.ErrnoException;
    const code = SYSTEM_CODES[system.code ?? ''];
    if (code !== undefined) {
      const hint = code === 'E2EEFTP_NOT_PERMITTED' ? 'check its permissions on this machine' : undefined;
      return new E2eeftpError(code, describeSystemError(system), { hint, cause: error });
    }
    return new E2eeftpError('E2EEFTP_INTERNAL', error.message === '' ? error.name : error.message, { cause: error });
  }
  return new E2eeftpError('E2EEFTP_INTERNAL', String(error), { cause: error });
}

/** `ENOENT: no such file or directory, open '/a/b'` as `/a/b: no such file or directory`. */
function describeSystemError(error: NodeJS.ErrnoException): string {
  const text = /^[A-Z0-9]+: ([^,]+)/.exec(error.message)?.[1] ?? error.message;
  return error.path === undefined ? text : `${error.path}: ${text}`;
}

/**
 * Reports one failure on `output`.
 * @param file the source that failed, when others go on.
 * @returns the exit code for it.
 */
export function reportError(output: Output, thrown: unknown, file: string | null = null): number {
  const error = toE2eeftpError(thrown);
  const hint = error.hint ?? HINTS[error.code] ?? null;
  if (output.json) {
    output.event({ type: 'error', code: error.code, message: error.message, hint, file });
  } else {
    const subject = file === null || error.message.includes(file) ? '' : `${displayName(file)}: `;
    const label = output.style('red', `error[${error.code}]`);
    output.error(`${label}: ${subject}${displayName(error.message)}`);
    if (hint !== null) output.error(`  → ${displayName(hint)}`);
  }
  if (output.verbosity >= 2) traceError(output, error);
  return error.exitCode;
}

function traceError(output: Output, error: unknown): void {
  const seen = new Set<unknown>();
  for (let cause = error; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    const title = seen.size === 1 ? '' : 'caused by ';
    for (const line of `${title}${cause.stack ?? cause.message}`.split('\n')) output.error(`  ${displayName(line)}`);
  }
}
