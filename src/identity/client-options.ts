/**
 * The options before a key in `authorized_clients.pub`, and the grant they amount to.
 *
 * An option narrows what the key may do; none of them widens it. An option that is not known refuses the whole line: a
 * restriction that is silently ignored would be worse than no access.
 */
import { E2eeftpError } from '../errors.js';
import { nativeSync, parseNetwork } from '../native.js';
import { fullGrant } from '../storage/grant.js';
import type { Grant } from '../storage/grant.js';

const option = /([a-z][a-z-]*)(?:=(?:"((?:[^"\\]|\\["\\])*)"|([^",\s]*)))?(,|$)/y;
const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/**
 * The grant for an option list such as `upload-only,path="/in/acme",max-size=10G`. `''` is the full grant.
 *
 * | option | effect |
 * |---|---|
 * | `read-only` | no storing, no deleting |
 * | `upload-only` | storing only: no fetching, listing or deleting; it may replace files unless `no-overwrite` is given |
 * | `no-overwrite` | a file that exists is never replaced |
 * | `no-delete` | no deleting |
 * | `path="/in/acme"` | this directory is the client's `/` |
 * | `max-size=10G` | largest file it may store; bytes, or with `K M G T` (powers of 1024) |
 * | `expires=2027-01-31` | works through the end of that day in UTC; a full time stamp with zone is accepted too |
 * | `user=NAME` | label for logs and handlers |
 * | `from="10.0.0.0/8,2001:db8::/32"` | it may log in from these networks and addresses only |
 *
 * @throws E2eeftpError `E2EEFTP_CONFIG` with the reason when the list is not understood in full.
 */
export function parseClientOptions(text: string): Grant {
  let grant: Grant = fullGrant;
  const seen = new Set<string>();
  for (const [name, value] of splitOptions(text)) {
    if (seen.has(name)) throw refuse(`option ${name} is given twice`);
    seen.add(name);
    grant = { ...grant, ...applyOption(name, value) };
  }
  if (seen.has('read-only') && seen.has('upload-only')) {
    throw refuse('read-only and upload-only together leave nothing');
  }
  return Object.freeze(grant);
}

function* splitOptions(text: string): Generator<readonly [string, string | undefined]> {
  if (text === '') return;
  if (hasControlCharacter(text)) throw refuse('there is a control character in the options');
  option.lastIndex = 0;
  for (;;) {
    const at = option.lastIndex;
    const match = option.exec(text);
    if (match === null) throw refuse(`cannot read the options from "${text.slice(at, at + 40)}" on`);
    const [, name = '', quoted, plain, separator] = match;
    yield [name, quoted === undefined ? plain : quoted.replace(/\\(["\\])/g, '$1')];
    if (separator === '') return;
  }
}

/** Whether a line break or another control character (Unicode class Cc) is in `text`. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function applyOption(name: string, value: string | undefined): Partial<Grant> {
  switch (name) {
    case 'read-only':
      withoutValue(name, value);
      return { write: false, delete: false, overwrite: false };
    case 'upload-only':
      withoutValue(name, value);
      return { read: false, list: false, delete: false };
    case 'no-overwrite':
      withoutValue(name, value);
      return { overwrite: false };
    case 'no-delete':
      withoutValue(name, value);
      return { delete: false };
    case 'path':
      return { path: parsePath(withValue(name, value)) };
    case 'max-size':
      return { maxSize: parseSize(withValue(name, value)) };
    case 'expires':
      return { expiresAt: parseExpiry(withValue(name, value)) };
    case 'user':
      return { user: withValue(name, value) };
    case 'from':
      return { from: parseNetworks(withValue(name, value)) };
    default:
      throw refuse(`unknown option ${name}`);
  }
}

/** Networks in their one form. Host names, wildcards and `!` are refused: they are no addresses, or would widen. */
function parseNetworks(value: string): readonly string[] {
  const networks = value.split(',').map((each) => {
    const text = each.trim();
    try {
      return nativeSync(() => parseNetwork(text));
    } catch (error) {
      if (!E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT')) throw error;
      throw refuse(`from: "${text}" is not a network such as 10.0.0.0/8 or 2001:db8::1`);
    }
  });
  return Object.freeze(networks);
}

function parsePath(value: string): string {
  if (!value.startsWith('/')) throw refuse('path must start with /');
  if (value.split('/').includes('..')) throw refuse('path must not contain ..');
  return value;
}

function parseSize(value: string): number {
  const match = /^(\d{1,15})([KMGT]?)$/i.exec(value);
  const size = Number(match?.[1]) * (units[(match?.[2] ?? '').toUpperCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw refuse(`max-size=${value} is not a size such as 10G`);
  return size;
}

function parseExpiry(value: string): Date {
  const day = /^(\d{4})-(\d{2})-(\d{2})$/.exec(value);
  if (day !== null) {
    const start = new Date(`${value}T00:00:00Z`);
    // Date rolls 2027-02-30 over into March: a day that does not exist must not pass for another one.
    if (!Number.isNaN(start.getTime()) && start.toISOString().startsWith(value)) {
      return new Date(start.getTime() + 24 * 60 * 60 * 1000);
    }
  } else if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})$/.test(value)) {
    const moment = new Date(value);
    if (!Number.isNaN(moment.getTime())) return moment;
  }
  throw refuse(`expires=${value} is not a date such as 2027-01-31`);
}

function withValue(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw refuse(`option ${name} needs a value`);
  return value;
}

function withoutValue(name: string, value: string | undefined): void {
  if (value !== undefined) throw refuse(`option ${name} takes no value`);
}

function refuse(text: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_CONFIG', text);
}
