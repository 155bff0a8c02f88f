/**
 * What a before hook may decide. Verdicts are made by these four functions and by nothing else: an object that merely
 * looks like one is refused, so that a mistake in a hook denies.
 */
import type { ErrorCode } from '../errors.js';
import { E2eeftpError, codeForStatus, errorTable, isErrorCode } from '../errors.js';

/** What a supplied body may be made of. Text is sent as UTF-8. */
export type SuppliedBody = Uint8Array | string | AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** The answer that a hook gives in place of the handler: the members of the operation's own reply. */
export interface SuppliedReply {
  /** @default the operation's own: 226 for `GET`, else 200 */
  readonly status?: number;
  /** Short text for people. @default 'OK' */
  readonly text?: string;
  /** Content of a `GET`, or the body of another reply. */
  readonly body?: SuppliedBody;
  /** Length of `body` in bytes: needed for a `GET` whose body is neither bytes nor text. */
  readonly size?: number;
  readonly [member: string]: unknown;
}

/** Where an operation goes instead. What is left out stays. */
export interface Rewritten {
  readonly path?: string;
  readonly target?: string;
}

const brand: unique symbol = Symbol('e2eeftp.verdict');

type Content =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny'; readonly denial: Denial }
  | { readonly kind: 'rewrite'; readonly to: Rewritten }
  | { readonly kind: 'supply'; readonly reply: SuppliedReply };

/** The decision of a before hook, made by `allow`, `deny`, `rewrite` or `supply`. */
export type Verdict = Content & { readonly [brand]: true };

/** An operation that a hook has denied: what the client is told. */
export class Denial extends Error {
  readonly status: number;
  readonly code: ErrorCode;

  constructor(status: number, text: string, code: ErrorCode) {
    super(text);
    this.name = 'Denial';
    this.status = status;
    this.code = code;
  }
}

const allowed: Verdict = verdict({ kind: 'allow' });

/** Lets the operation go on to the next hook, and after the last one to its handler. The same as returning nothing. */
export function allow(): Verdict {
  return allowed;
}

/**
 * Refuses the operation; no later hook and no handler runs.
 *
 * @param status 400 to 599, see `docs/PROTOCOL.md` §7.4.
 * @param text what the client is told, one short sentence.
 * @param code told beside the status. @default the one that goes with the status
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for anything else, which denies as well.
 */
export function deny(status: number, text: string, code?: ErrorCode): Verdict {
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw invalid('deny takes a status from 400 to 599');
  }
  if (typeof text !== 'string' || text === '') throw invalid('deny takes a text for the client');
  if (code !== undefined && !(isErrorCode(code) && errorTable[code].status !== null)) {
    throw invalid('deny takes a code that travels in replies');
  }
  return verdict({ kind: 'deny', denial: new Denial(status, text, code ?? codeForStatus(status)) });
}

/**
 * Sends the operation to another path, as if the client had asked for that: later hooks see it, the grant and the root
 * confine it, and what is not permitted there is refused.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` without a path, and for members that are not there: a misspelt one would
 * leave the client's own path in place.
 */
export function rewrite(to: Rewritten): Verdict {
  if (typeof to !== 'object' || to === null) throw invalid('rewrite takes an object with path or target');
  const { path, target } = to;
  if (path === undefined && target === undefined) throw invalid('rewrite takes path or target');
  for (const value of [path, target]) {
    if (value !== undefined && typeof value !== 'string') throw invalid('the paths of rewrite are strings');
  }
  const unknown = Object.keys(to).find((name) => name !== 'path' && name !== 'target');
  if (unknown !== undefined) throw invalid(`rewrite takes path and target, not ${unknown}`);
  // The values that were checked, and not what a second look would find.
  const checked = { ...(path === undefined ? {} : { path }), ...(target === undefined ? {} : { target }) };
  return verdict({ kind: 'rewrite', to: Object.freeze(checked) });
}

/** Answers in place of the handler, which does not run; no later hook runs either. */
export function supply(reply: SuppliedReply = {}): Verdict {
  if (typeof reply !== 'object' || reply === null) throw invalid('supply takes the members of a reply');
  return verdict({ kind: 'supply', reply: Object.freeze({ ...reply }) });
}

/**
 * What a hook returned.
 *
 * @throws TypeError for anything but nothing and a verdict.
 */
export function readVerdict(value: unknown): Verdict {
  if (value === undefined) return allowed;
  if (typeof value === 'object' && value !== null && brand in value) return value as Verdict;
  throw new TypeError('a before hook returns nothing, or what allow, deny, rewrite or supply returned');
}

function verdict(content: Content): Verdict {
  return Object.freeze({ ...content, [brand]: true as const });
}

function invalid(text: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', text);
}
