/**
 * What makes two transfers the same one, so that the later goes on with what the earlier has left.
 */
import { createHash } from 'node:crypto';

/** Length in bytes. */
const KEY_LENGTH = 16;

/** The key of uploads of one client: what others have left is not theirs to go on with. The target's name is added below. */
export function uploadKey(clientFingerprint: string): Buffer {
  return digest('upload', [Buffer.from(clientFingerprint)]);
}

/** The key of downloads of one file of one server. */
export function downloadKey(serverFingerprint: string, remotePath: Buffer): Buffer {
  return digest('download', [Buffer.from(serverFingerprint), remotePath]);
}

function digest(kind: string, parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256').update(`e2eeftp ${kind}\0`);
  for (const part of parts) hash.update(`${part.length}\0`).update(part);
  return hash.digest().subarray(0, KEY_LENGTH);
}
