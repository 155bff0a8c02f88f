/**
 * What one client may do. A grant is data; the native layer enforces it at every open, and the command dispatch checks
 * it once more before a handler runs.
 */
import { E2eeftpError } from '../errors.js';
import type { NativeGrant } from '../native.js';
import { byteCount } from './byte-count.js';
import type { ByteCount } from './byte-count.js';

/** One kind of access. */
export type Permission = 'read' | 'write' | 'list' | 'delete';

/** What one client may do. */
export interface Grant {
  /** Directory below the server's root that this client sees as `/`. Made when missing. */
  readonly path: string;
  /** May fetch files. */
  readonly read: boolean;
  /** May store files. */
  readonly write: boolean;
  /** May list directories and ask for a file's size and time. */
  readonly list: boolean;
  /** May delete. */
  readonly delete: boolean;
  /** May replace a file that exists; only with `write`. */
  readonly overwrite: boolean;
  /** Largest file it may store, in bytes; `null` = no limit. */
  readonly maxSize: number | null;
  /** From when on it may do nothing; `null` = never. */
  readonly expiresAt: Date | null;
  /** Label for logs and handlers. */
  readonly user: string | null;
  /** Networks that it must connect from, such as `10.0.0.0/8` or `2001:db8::1`; `null` = from anywhere. */
  readonly from: readonly string[] | null;
}

/** A grant as an application gives it: what is left out is not permitted. */
export type GivenGrant = Partial<Omit<Grant, 'maxSize'>> & { readonly maxSize?: ByteCount | null };

/** Every permission, no limit, the whole root. */
export const fullGrant: Grant = Object.freeze({
  path: '/',
  read: true,
  write: true,
  list: true,
  delete: true,
  overwrite: true,
  maxSize: null,
  expiresAt: null,
  user: null,
  from: null,
});

/**
 * Completes and checks a grant that an application returned. What is left out is not permitted.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a member of the wrong type.
 */
export function completeGrant(given: GivenGrant): Grant {
  if (typeof given !== 'object' || given === null) throw invalid('a grant', 'an object');
  const grant: Grant = {
    path: given.path ?? '/',
    read: given.read ?? false,
    write: given.write ?? false,
    list: given.list ?? false,
    delete: given.delete ?? false,
    overwrite: given.overwrite ?? false,
    maxSize: given.maxSize === undefined || given.maxSize === null ? null : byteCount(given.maxSize, 'grant.maxSize'),
    expiresAt: given.expiresAt ?? null,
    user: given.user ?? null,
    from: given.from ?? null,
  };
  for (const name of ['read', 'write', 'list', 'delete', 'overwrite'] as const) {
    if (typeof grant[name] !== 'boolean') throw invalid(`grant.${name}`, 'a boolean');
  }
  if (typeof grant.path !== 'string') throw invalid('grant.path', 'a string');
  if (grant.user !== null && typeof grant.user !== 'string') throw invalid('grant.user', 'a string');
  if (grant.from !== null && !(Array.isArray(grant.from) && grant.from.every((each) => typeof each === 'string'))) {
    throw invalid('grant.from', 'a list of networks');
  }
  if (grant.expiresAt !== null && !(grant.expiresAt instanceof Date && !Number.isNaN(grant.expiresAt.getTime()))) {
    throw invalid('grant.expiresAt', 'a valid Date');
  }
  return Object.freeze({ ...grant, from: grant.from === null ? null : Object.freeze([...grant.from]) });
}

/** Whether two grants permit the same. */
export function isSameGrant(one: Grant, other: Grant): boolean {
  return (Object.keys(fullGrant) as (keyof Grant)[]).every((name) => {
    const [a, b] = [one[name], other[name]];
    if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, at) => each === b[at]);
    return a === b;
  });
}

/** `grant` without the right to change anything. */
export function readOnlyGrant(grant: Grant): Grant {
  return Object.freeze({ ...grant, write: false, delete: false, overwrite: false });
}

/** Whether the grant has run out at `now`. */
export function isExpired(grant: Grant, now: number = Date.now()): boolean {
  return grant.expiresAt !== null && grant.expiresAt.getTime() <= now;
}

/** The form in which the native layer takes it. */
export function toNativeGrant(grant: Grant): NativeGrant {
  return {
    read: grant.read,
    write: grant.write,
    list: grant.list,
    delete: grant.delete,
    overwrite: grant.overwrite,
    ...(grant.maxSize === null ? {} : { maxSize: grant.maxSize }),
    ...(grant.expiresAt === null ? {} : { expiresAtMs: grant.expiresAt.getTime() }),
  };
}

function invalid(what: string, wanted: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${what} must be ${wanted}`);
}
