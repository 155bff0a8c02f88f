/**
 * The one error type of this package and the one table of its codes.
 *
 * Every failure that a caller can meet is an {@link E2eeftpError} whose `code` is a key of {@link errorTable}.
 * `docs/ERRORS.md` lists the same codes for people; a test holds the two together.
 */

/** Whose doing an error is: `caller` (arguments, local files), `peer`, `environment` (network, disk) or `us` (a bug). */
export type Blame = 'caller' | 'peer' | 'environment' | 'us';

/** One row of {@link errorTable}. */
export interface ErrorRow {
  /** Status number of a reply that carries this code; `null` when the code never travels. */
  readonly status: number | null;
  /** Exit code of the command line. */
  readonly exitCode: number;
  readonly blame: Blame;
  /** Whether the same call may succeed later without anything being changed. */
  readonly retry: boolean;
}

/* prettier-ignore */
const rows = {
  E2EEFTP_INVALID_ARGUMENT:   { status: null, exitCode: 2,   blame: 'caller',      retry: false },
  E2EEFTP_CONFIG:             { status: null, exitCode: 2,   blame: 'caller',      retry: false },
  E2EEFTP_CONNECT:            { status: null, exitCode: 3,   blame: 'environment', retry: true  },
  E2EEFTP_UNKNOWN_HOST:       { status: null, exitCode: 3,   blame: 'environment', retry: true  },
  E2EEFTP_CONNECTION_LOST:    { status: null, exitCode: 3,   blame: 'environment', retry: true  },
  E2EEFTP_PROTOCOL:           { status: null, exitCode: 3,   blame: 'peer',        retry: false },
  E2EEFTP_CLOSED:             { status: null, exitCode: 3,   blame: 'caller',      retry: false },
  E2EEFTP_TIMEOUT:            { status: null, exitCode: 124, blame: 'environment', retry: true  },
  E2EEFTP_ABORTED:            { status: null, exitCode: 130, blame: 'caller',      retry: true  },
  E2EEFTP_KEY_FILE:           { status: null, exitCode: 4,   blame: 'caller',      retry: false },
  E2EEFTP_KEY_ENCRYPTED:      { status: null, exitCode: 4,   blame: 'caller',      retry: false },
  E2EEFTP_WRONG_PASSPHRASE:   { status: null, exitCode: 4,   blame: 'caller',      retry: false },
  E2EEFTP_AGENT:              { status: null, exitCode: 4,   blame: 'environment', retry: true  },
  E2EEFTP_WEAK_KEY:           { status: null, exitCode: 4,   blame: 'peer',        retry: false },
  E2EEFTP_AUTH_REFUSED:       { status: 401,  exitCode: 4,   blame: 'caller',      retry: false },
  E2EEFTP_SERVER_KEY_UNKNOWN: { status: null, exitCode: 4,   blame: 'caller',      retry: false },
  E2EEFTP_SERVER_KEY_CHANGED: { status: null, exitCode: 4,   blame: 'peer',        retry: false },
  E2EEFTP_INCOMPATIBLE:       { status: null, exitCode: 12,  blame: 'peer',        retry: false },
  E2EEFTP_NO_BINARY:          { status: null, exitCode: 12,  blame: 'environment', retry: false },
  E2EEFTP_NOT_PERMITTED:      { status: 403,  exitCode: 5,   blame: 'caller',      retry: false },
  E2EEFTP_EXPIRED:            { status: 403,  exitCode: 5,   blame: 'caller',      retry: false },
  E2EEFTP_READ_ONLY:          { status: 403,  exitCode: 5,   blame: 'environment', retry: false },
  E2EEFTP_NOT_FOUND:          { status: 404,  exitCode: 6,   blame: 'caller',      retry: false },
  E2EEFTP_EXISTS:             { status: 409,  exitCode: 7,   blame: 'caller',      retry: false },
  E2EEFTP_IS_DIRECTORY:       { status: 409,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_NOT_DIRECTORY:      { status: 409,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_NOT_EMPTY:          { status: 409,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_NOT_REGULAR:        { status: 409,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_BUSY:               { status: 409,  exitCode: 1,   blame: 'environment', retry: true  },
  E2EEFTP_SOURCE_CHANGED:     { status: 409,  exitCode: 11,  blame: 'environment', retry: true  },
  E2EEFTP_BAD_PATH:           { status: 400,  exitCode: 2,   blame: 'caller',      retry: false },
  E2EEFTP_BAD_REQUEST:        { status: 400,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_UNKNOWN_COMMAND:    { status: 400,  exitCode: 2,   blame: 'caller',      retry: false },
  E2EEFTP_NOT_IMPLEMENTED:    { status: 501,  exitCode: 1,   blame: 'peer',        retry: false },
  E2EEFTP_FILE_BY_FILE:       { status: 501,  exitCode: 1,   blame: 'peer',        retry: false },
  E2EEFTP_UNSUPPORTED:        { status: 501,  exitCode: 1,   blame: 'caller',      retry: false },
  E2EEFTP_TOO_LARGE:          { status: 413,  exitCode: 9,   blame: 'caller',      retry: false },
  E2EEFTP_NO_SPACE:           { status: 507,  exitCode: 9,   blame: 'environment', retry: true  },
  E2EEFTP_INTEGRITY:          { status: 422,  exitCode: 8,   blame: 'peer',        retry: true  },
  E2EEFTP_RECEIPT:            { status: 422,  exitCode: 8,   blame: 'peer',        retry: false },
  E2EEFTP_RATE_LIMITED:       { status: 429,  exitCode: 3,   blame: 'caller',      retry: true  },
  E2EEFTP_SHUTTING_DOWN:      { status: 503,  exitCode: 3,   blame: 'environment', retry: true  },
  E2EEFTP_HOOK_TIMEOUT:       { status: 503,  exitCode: 1,   blame: 'environment', retry: true  },
  E2EEFTP_TOO_MANY_OPEN:      { status: 503,  exitCode: 1,   blame: 'environment', retry: true  },
  E2EEFTP_SERVER_ERROR:       { status: 500,  exitCode: 1,   blame: 'peer',        retry: true  },
  E2EEFTP_IO:                 { status: 500,  exitCode: 1,   blame: 'environment', retry: true  },
  E2EEFTP_PEER_STOPPED:       { status: null, exitCode: 1,   blame: 'peer',        retry: true  },
  E2EEFTP_PEER_ABORTED:       { status: null, exitCode: 1,   blame: 'peer',        retry: true  },
  E2EEFTP_PARTIAL:            { status: null, exitCode: 10,  blame: 'caller',      retry: true  },
  E2EEFTP_INTERNAL:           { status: 500,  exitCode: 1,   blame: 'us',          retry: false },
} as const;

/** A stable error code. Codes are added, never renamed. */
export type ErrorCode = keyof typeof rows;

/** Wire status, exit code, blame and retry advice for every code. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = rows;

const byStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'E2EEFTP_BAD_REQUEST',
  401: 'E2EEFTP_AUTH_REFUSED',
  403: 'E2EEFTP_NOT_PERMITTED',
  404: 'E2EEFTP_NOT_FOUND',
  409: 'E2EEFTP_EXISTS',
  413: 'E2EEFTP_TOO_LARGE',
  422: 'E2EEFTP_INTEGRITY',
  429: 'E2EEFTP_RATE_LIMITED',
  500: 'E2EEFTP_SERVER_ERROR',
  501: 'E2EEFTP_NOT_IMPLEMENTED',
  503: 'E2EEFTP_SHUTTING_DOWN',
  507: 'E2EEFTP_NO_SPACE',
};

const brand = Symbol.for('e2eeftp.error');

/** Optional parts of an {@link E2eeftpError}. */
export interface ErrorOptions {
  /** Status of the reply, where it differs from the table's. */
  readonly status?: number | undefined;
  /** What the reader can do next, as one sentence. */
  readonly hint?: string | undefined;
  /** Number under which the server's log has the details (500 replies only). */
  readonly reference?: string | undefined;
  readonly cause?: unknown;
}

/** Every error of this package. Test with {@link E2eeftpError.is}: it also works across two loaded copies of the package. */
export class E2eeftpError extends Error {
  /** The stable code: a key of {@link errorTable}. */
  readonly code: ErrorCode;
  /** Status of the server's reply, or the one a server would send; `undefined` for codes that never travel. */
  readonly status: number | undefined;
  /** The next step, when there is one worth proposing. */
  readonly hint: string | undefined;
  /** The server's reference id of a 500 reply: its log has the details under it. */
  readonly reference: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'E2eeftpError';
    this.code = code;
    this.status = options.status ?? errorTable[code].status ?? undefined;
    this.hint = options.hint;
    this.reference = options.reference;
    Object.defineProperty(this, brand, { value: true });
  }

  /** The command line's exit code for this error. */
  get exitCode(): number {
    return errorTable[this.code].exitCode;
  }

  /** Whether `value` is an error of this package and, when `code` is given, has that code. */
  static is(value: unknown, code?: ErrorCode): value is E2eeftpError {
    if (typeof value !== 'object' || value === null || !(brand in value)) return false;
    return code === undefined || (value as unknown as E2eeftpError).code === code;
  }

  /** The same failure with `text: ` put in front of the message; keeps code, status, hint and reference. */
  within(text: string): E2eeftpError {
    const { status, hint, reference } = this;
    return new E2eeftpError(this.code, `${text}: ${this.message}`, { status, hint, reference, cause: this });
  }
}

/** Whether `value` is one of the known codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(rows, value);
}

/** The code for a reply of status `status` (>= 400) that carries none we know. */
export function codeForStatus(status: number): ErrorCode {
  return byStatus[status] ?? (status < 500 ? 'E2EEFTP_BAD_REQUEST' : 'E2EEFTP_SERVER_ERROR');
}
