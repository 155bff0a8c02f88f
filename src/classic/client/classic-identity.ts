/**
 * The identity of a client of an old server: a plain Ed25519 key of this process. What a client of the old protocol
 * signs is no message that an ssh-agent or a security key would sign.
 */
import { join } from 'node:path';
import { E2eeftpError } from '../../errors.js';
import { namesAgent } from '../../identity/agent-keys.js';
import { clientDirectory } from '../../identity/default-directories.js';
import { Identity, isKeyFileExposed, publicHalf, readKeyFile } from '../../identity/identity.js';
import type { Passphrase } from '../../identity/passphrase.js';

/** Where the identity comes from. */
export interface ClassicIdentityOptions {
  /**
   * A private key file, or an identity that was opened and is not in an ssh-agent.
   * @default client_id.key in the client's directory
   */
  readonly identity?: string | Identity;
  /** For a private key file that needs one. @default none */
  readonly passphrase?: Passphrase;
  /** Told about what the client's owner should look at, such as a private key that others can read. @default silent */
  readonly onWarning?: (message: string) => void;
}

/**
 * Opens the identity.
 *
 * @throws E2eeftpError `E2EEFTP_UNSUPPORTED` for a key in an ssh-agent or a security key, and as `Identity.load`.
 */
export async function openClassicIdentity(options: ClassicIdentityOptions): Promise<Identity> {
  const { identity = join(clientDirectory(), 'client_id.key'), passphrase, onWarning } = options;
  if (identity instanceof Identity) {
    if (identity.isInAgent) throw notPlain('a key in an ssh-agent');
    return identity;
  }
  if (namesAgent(identity)) throw notPlain(identity);
  const text = await readKeyFile(identity);
  try {
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text.toString('latin1', 0, 1024))) throw notPlain(identity);
    if (kindOf(text) === 'sk-ssh-ed25519@openssh.com') throw notPlain(`${identity}, a security key,`);
  } finally {
    text.fill(0);
  }
  if (await isKeyFileExposed(identity)) {
    onWarning?.(`${identity} can be read by other users; run: chmod 600 ${identity}`);
  }
  return Identity.load(identity, passphrase);
}

/** `null` for what is no key: loading it says why. */
function kindOf(text: Buffer): string | null {
  try {
    return publicHalf(text).kind;
  } catch (error) {
    if (E2eeftpError.is(error)) return null;
    throw error;
  }
}

function notPlain(what: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_UNSUPPORTED', `${what} can't log in to an old server`, {
    hint: 'name the file of a private Ed25519 key',
  });
}
