/**
 * What a client does when a server that it knows shows another key: it follows a statement of the key that it knows, and
 * nothing else.
 */
import type { KnownServer, KnownServers } from '../../identity/known-servers.js';
import type { PublicKey } from '../../identity/public-key.js';
import type { KeyRotation } from '../../native.js';

/** A server's key was replaced on record, because the old key has named the new one. */
export interface RotatedServer {
  readonly host: string;
  readonly port: number;
  /** The key that was on record. */
  readonly oldKey: PublicKey;
  readonly key: PublicKey;
  /** Number of the last statement that was followed. */
  readonly sequence: number;
}

/**
 * Replaces the key of a server on record, if one that is there has named its successor; returns `null` if none has.
 *
 * A statement counts only when its number is above that of the last one that was followed for this server: one that is
 * replayed leads nowhere.
 *
 * @param entries what is on record for the server; none of it is `key`.
 * @param steps verified statements that lead to `key`, which the server has proved, oldest first.
 * @throws E2eeftpError `E2EEFTP_IO` or `E2EEFTP_KEY_FILE` when the record can't be changed.
 */
export async function followRotation(
  known: KnownServers,
  server: { readonly host: string; readonly port: number },
  entries: readonly KnownServer[],
  key: PublicKey,
  steps: readonly KeyRotation[],
): Promise<RotatedServer | null> {
  const last = steps.at(-1);
  if (last === undefined || last.newKey.base64 !== key.base64) return null;
  for (const step of steps.toReversed()) {
    const entry = entries.find((each) => each.key.base64 === step.oldKey.base64);
    if (entry === undefined) continue;
    const { host, port } = server;
    const { sequence } = last;
    const isDone = await known.rotate(host, port, { oldKey: entry.key, key, from: step.sequence, sequence });
    return isDone ? { host, port, oldKey: entry.key, key, sequence } : null;
  }
  return null;
}
