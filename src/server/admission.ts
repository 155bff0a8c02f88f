/**
 * The decision about a client that has proved which key it has.
 */
import { E2eeftpError } from '../errors.js';
import type { AuthorizedClients } from '../identity/authorized-clients.js';
import type { PublicKey } from '../identity/public-key.js';
import { native, nativeSync } from '../native.js';
import type { NativeStorage, NativeView } from '../native.js';
import { completeGrant, isExpired, readOnlyGrant, toNativeGrant } from '../storage/grant.js';
import type { Grant } from '../storage/grant.js';
import { pathToBytes } from '../storage/path-text.js';
import type { Authorize, ClientInfo } from './options.js';

/** Who may log in, and what they see then. */
export class Admission {
  readonly #authorize: AuthorizedClients | Authorize;
  readonly #readOnly: boolean;

  /** @param readOnly take every right to change something from every grant. */
  constructor(authorize: AuthorizedClients | Authorize, readOnly: boolean) {
    this.#authorize = authorize;
    this.#readOnly = readOnly;
  }

  /**
   * The grant for a key; `null` when it is not to be let in, which includes a grant that has expired.
   *
   * @throws what the application's function throws, and `E2EEFTP_INVALID_ARGUMENT` for a grant that is none.
   */
  async judge(key: PublicKey, info: ClientInfo): Promise<Grant | null> {
    const given =
      typeof this.#authorize === 'function' ? await this.#authorize(key, info) : await this.#authorize.lookup(key);
    if (given === null || given === undefined) return null;
    const grant = completeGrant(given);
    if (isExpired(grant)) return null;
    return this.#readOnly ? readOnlyGrant(grant) : grant;
  }
}

/** The part of `root` that a grant opens, made when missing, and the view that enforces the grant. */
export async function openGrant(
  root: NativeStorage,
  grant: Grant,
): Promise<{ storage: NativeStorage; view: NativeView }> {
  const storage = await enter(root, grant.path);
  return { storage, view: nativeSync(() => storage.view(toNativeGrant(grant))) };
}

async function enter(root: NativeStorage, path: string): Promise<NativeStorage> {
  if (/^[/.]*$/.test(path) && !path.includes('..')) return root;
  const bytes = pathToBytes(path);
  try {
    return await native(() => root.enter(bytes));
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) throw error;
  }
  await native(() => root.makeDirectory(bytes, true)).catch((error: unknown) => {
    // Another login of the same client was faster.
    if (!E2eeftpError.is(error, 'E2EEFTP_EXISTS')) throw error;
  });
  return native(() => root.enter(bytes));
}
