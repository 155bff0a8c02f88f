/**
 * The one key a server must have, as a caller gave it: a fingerprint, a key, or a file that holds a key.
 */
import { E2eeftpError } from '../errors.js';
import { reason } from './atomic-file.js';
import { isFingerprint, looksLikeFingerprint } from './fingerprint.js';
import { KnownServers, MAX_FILE } from './known-servers.js';
import { looksLikePublicKey, parsePublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';

/**
 * The fingerprints that `serverKey` allows for the server at `host:port`.
 *
 * @param serverKey `SHA256:…`; a public key in any form; or the path of a file: PEM (`known_server.pub`), one public
 * key, or `known_servers` lines, of which those for this server count.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a broken fingerprint, `E2EEFTP_KEY_FILE` for a file without a key
 * for this server.
 */
export async function resolveServerKey(serverKey: string, host: string, port: number): Promise<readonly string[]> {
  if (looksLikeFingerprint(serverKey)) {
    if (isFingerprint(serverKey)) return [serverKey];
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a fingerprint is SHA256: and 43 characters of base64');
  }
  if (looksLikePublicKey(serverKey)) return [parsePublicKey(serverKey).fingerprint];
  let text: string;
  try {
    text = (await readSmallFile(serverKey, MAX_FILE)).bytes.toString('utf8');
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${serverKey}: ${reason(error)}`, { cause: error });
  }
  if (looksLikePublicKey(text)) return [parsePublicKey(text).fingerprint];
  const entries = await new KnownServers(serverKey).find(host, port);
  if (entries.length > 0) return entries.map((entry) => entry.key.fingerprint);
  throw new E2eeftpError('E2EEFTP_KEY_FILE', `${serverKey} holds no key for this server`);
}
