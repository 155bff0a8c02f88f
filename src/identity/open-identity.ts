/**
 * Opens an identity from where people keep it: a private key file, an ssh-agent, or the public key of one that an agent
 * holds.
 */
import { E2eeftpError } from '../errors.js';
import { agentHolds, agentIdentities, agentIdentity, namesAgent } from './agent-keys.js';
import { defaultAgentSocket } from './agent-socket.js';
import { Identity, isKeyFileExposed, publicHalf, readKeyFile } from './identity.js';
import { openWithPassphrase } from './passphrase.js';
import type { Passphrase } from './passphrase.js';
import { looksLikePublicKey, parsePublicKey } from './public-key.js';

/** Options of {@link openIdentity}. */
export interface OpenIdentityOptions {
  /** For a private key that needs one. @default none: such a key is an error */
  readonly passphrase?: Passphrase | undefined;
  /** Socket of the ssh-agent, on Windows its named pipe. @default SSH_AUTH_SOCK, on Windows else that of the system's agent */
  readonly agentSocket?: string | undefined;
  /** Told about what its owner should look at, such as a private key that others can read. @default silent */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Opens one identity.
 *
 * @param source a file with a private key; a file with the public key of one that the ssh-agent holds;
 * `agent:FINGERPRINT` or `agent:COMMENT` for a key of the agent, or `agent` for its first one. A file of that name is
 * `./agent`. A private key that needs a passphrase is used through the agent if that has it.
 * @throws E2eeftpError `E2EEFTP_KEY_FILE`, `E2EEFTP_KEY_ENCRYPTED`, `E2EEFTP_WRONG_PASSPHRASE`, `E2EEFTP_WEAK_KEY`,
 * `E2EEFTP_AGENT`.
 */
export async function openIdentity(source: string, options: OpenIdentityOptions = {}): Promise<Identity> {
  const [first] = await openIdentities(source, options);
  // An empty list is an error further down.
  if (first === undefined) throw new E2eeftpError('E2EEFTP_INTERNAL', 'no identity was opened');
  return first;
}

/** As {@link openIdentity}, with all keys that `agent` stands for. */
export async function openIdentities(source: string, options: OpenIdentityOptions): Promise<readonly Identity[]> {
  const socket = options.agentSocket ?? defaultAgentSocket();
  if (namesAgent(source)) return agentIdentities(source, socket);
  const text = await readKeyFile(source);
  try {
    if (!isPrivate(text)) return [await fromPublicKey(source, text, socket)];
    if (await isKeyFileExposed(source)) {
      options.onWarning?.(`${source} can be read by other users; run: chmod 600 ${source}`);
    }
    return [await fromPrivateKey(source, text, socket, options)];
  } catch (error) {
    throw E2eeftpError.is(error) && !error.message.includes(source) ? error.within(source) : error;
  } finally {
    text.fill(0);
  }
}

function isPrivate(text: Buffer): boolean {
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text.toString('latin1', 0, 1024));
}

async function fromPublicKey(file: string, text: Buffer, socket: string | undefined): Promise<Identity> {
  const line = text.toString('utf8');
  if (!looksLikePublicKey(line)) {
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file} holds neither a private nor a public key`);
  }
  return agentIdentity(parsePublicKey(line), file, socket);
}

async function fromPrivateKey(
  file: string,
  text: Buffer,
  socket: string | undefined,
  options: OpenIdentityOptions,
): Promise<Identity> {
  let reason: E2eeftpError;
  try {
    return Identity.parse(text);
  } catch (error) {
    if (!E2eeftpError.is(error)) throw error;
    reason = error;
  }
  const isEncrypted = reason.code === 'E2EEFTP_KEY_ENCRYPTED';
  const key = publicHalfOrNull(text);
  const isTouched = key !== null && key.kind !== 'ssh-ed25519';
  if (!isEncrypted && !isTouched) throw reason;
  // The file of a security key holds nothing to sign with: only the agent can.
  if (key !== null && isTouched) return agentIdentity(key, file, socket);
  if (key !== null && socket !== undefined && socket !== '') {
    try {
      if (await agentHolds(key, socket)) return Identity.fromAgent(socket, key);
    } catch (error) {
      if (!E2eeftpError.is(error)) throw error;
      options.onWarning?.(`${error.message}; ${file} is opened with its passphrase instead`);
    }
  }
  return openWithPassphrase(file, options.passphrase, (secret) => Identity.decrypt(text, secret));
}

function publicHalfOrNull(text: Buffer): ReturnType<typeof publicHalf> | null {
  try {
    return publicHalf(text);
  } catch (error) {
    if (E2eeftpError.is(error)) return null;
    throw error;
  }
}
