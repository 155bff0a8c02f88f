/**
 * Several identities, opened one after another as they are needed: a passphrase is asked for, and an agent looked into,
 * only when a server has refused the keys before.
 */
import { E2eeftpError } from '../errors.js';
import { Identity } from './identity.js';
import { openIdentities } from './open-identity.js';
import type { OpenIdentityOptions } from './open-identity.js';

/** So many keys are shown to one server at most: each tells it something about who is asking. */
export const MAX_IDENTITIES = 6;

/** Identities in their order, each once. */
export class IdentitySequence {
  readonly #sources: (string | Identity)[];
  readonly #options: OpenIdentityOptions;
  readonly #opened: Identity[] = [];
  readonly #shown: Identity[] = [];

  /**
   * @param sources as `openIdentity` takes them; `agent` stands for all keys of the agent.
   * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when there are none.
   */
  constructor(sources: readonly (string | Identity)[], options: OpenIdentityOptions) {
    if (sources.length === 0) throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'no identity is given');
    this.#sources = [...sources];
    this.#options = options;
  }

  /** The identities that {@link next} has given so far. */
  get shown(): readonly Identity[] {
    return this.#shown;
  }

  /**
   * The next identity; `undefined` after the last one, and after six.
   *
   * @throws E2eeftpError as `openIdentity`.
   */
  async next(): Promise<Identity | undefined> {
    while (this.#shown.length < MAX_IDENTITIES) {
      const identity = this.#opened.shift() ?? (await this.#open());
      if (identity === undefined) return undefined;
      const { fingerprint } = identity.publicKey;
      if (this.#shown.some((before) => before.publicKey.fingerprint === fingerprint)) continue;
      this.#shown.push(identity);
      return identity;
    }
    return undefined;
  }

  async #open(): Promise<Identity | undefined> {
    const source = this.#sources.shift();
    if (source === undefined || source instanceof Identity) return source;
    this.#opened.push(...(await openIdentities(source, this.#options)));
    return this.#opened.shift();
  }
}
