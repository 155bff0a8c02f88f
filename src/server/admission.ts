/**
 * The decision about a client that has proved which key it has.
 */
import { E2eeftpError } from '../errors.js';
import { TookTooLong, bounded } from '../hooks/bounded.js';
import type { AuthorizedClients } from '../identity/authorized-clients.js';
import type { Peer } from '../identity/peer.js';
import { parsePublicKey } from '../identity/public-key.js';
import type { PublicKey } from '../identity/public-key.js';
import { native, nativeSync } from '../native.js';
import type { NativeStorage, NativeView } from '../native.js';
import { completeGrant, isExpired, readOnlyGrant, toNativeGrant } from '../storage/grant.js';
import type { GivenGrant, Grant } from '../storage/grant.js';
import { pathToBytes } from '../storage/path-text.js';
import type { LoginRefusal } from './events.js';
import type { Authorize, ClientInfo } from './options.js';

/** What was decided about a key. */
export type Judgement = { readonly grant: Grant } | { readonly refusal: LoginRefusal };

/** Who may log in, and what they see then. */
export class Admission {
  readonly #authorize: AuthorizedClients | Authorize;
  readonly #readOnly: boolean;
  readonly #timeoutMs: number;

  /**
   * @param readOnly take every right to change something from every grant.
   * @param timeoutMs how long the application's function may take.
   */
  constructor(authorize: AuthorizedClients | Authorize, readOnly: boolean, timeoutMs: number) {
    this.#authorize = authorize;
    this.#readOnly = readOnly;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The grant for a key, or why it is not let in.
   *
   * @throws what the application's function throws, `E2EEFTP_HOOK_TIMEOUT` when it takes too long, and
   * `E2EEFTP_INVALID_ARGUMENT` for a grant that is none.
   */
  async judge(key: PublicKey, info: ClientInfo): Promise<Judgement> {
    const given =
      typeof this.#authorize === 'function'
        ? await this.#ask(this.#authorize, key, info)
        : await this.#authorize.lookup(key);
    if (given === null || given === undefined) return { refusal: 'unknown-key' };
    const grant = completeGrant(given);
    return isExpired(grant) ? { refusal: 'expired' } : { grant: this.#narrowed(grant) };
  }

  /** The grant of a peer in the file of keys as it was read last; `null` when it is not listed, or there is no file. */
  known(peer: Peer): Grant | null {
    if (typeof this.#authorize === 'function') return null;
    const grant = this.#authorize.known(parsePublicKey(peer.key));
    return grant === null ? null : this.#narrowed(grant);
  }

  async #ask(authorize: Authorize, key: PublicKey, info: ClientInfo): Promise<GivenGrant | null> {
    try {
      return await bounded(() => authorize(key, info), this.#timeoutMs);
    } catch (error) {
      if (!(error instanceof TookTooLong)) throw error;
      throw new E2eeftpError('E2EEFTP_HOOK_TIMEOUT', 'authorizedClients took too long', { cause: error });
    }
  }

  #narrowed(grant: Grant): Grant {
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
