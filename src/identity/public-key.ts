/**
 * Public keys: Ed25519, read from any of the forms a user may have at hand.
 */
import { E2eeftpError } from '../errors.js';
import { nativeSync, parsePublicKeyNative } from '../native.js';
import type { PublicKeyInfo } from '../native.js';

/** A checked Ed25519 public key in the forms in which it is written. */
export interface PublicKey {
  /** `ssh-ed25519`, or `sk-ssh-ed25519@openssh.com` for a key in a security key. */
  readonly kind: string;
  /** 32 bytes; of a key in a security key the SSH blob. */
  readonly raw: Buffer;
  /**
   * `raw` in base64: 44 characters of a plain key, the form of the original `authorized_clients.pub`; longer of a key in a
   * security key. No two keys have the same.
   */
  readonly base64: string;
  /** `ssh-ed25519 AAAA…` or `sk-ssh-ed25519@openssh.com AAAA…`, without comment. */
  readonly openssh: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** SubjectPublicKeyInfo PEM, the form of `known_server.pub`; `''` for a key in a security key. */
  readonly pem: string;
}

const MAX_KEY_TEXT = 16 * 1024;

/**
 * Reads a public key: raw base64 (44 characters), an OpenSSH line (`ssh-ed25519 AAAA… comment` or
 * `sk-ssh-ed25519@openssh.com AAAA… comment`) or SPKI PEM.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` when it is none of them, `E2EEFTP_WEAK_KEY` for a key that proves nothing.
 */
export function parsePublicKey(text: string): PublicKey {
  if (typeof text !== 'string') throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a public key is given as text');
  if (text.length > MAX_KEY_TEXT) throw new E2eeftpError('E2EEFTP_KEY_FILE', 'this is too long for a public key');
  return nativeSync<PublicKeyInfo>(() => parsePublicKeyNative(text.trim()));
}

/** Whether `text` looks like a public key rather than like a file name or a fingerprint. */
export function looksLikePublicKey(text: string): boolean {
  return (
    /^\s*(?:ssh-ed25519\s|sk-ssh-ed25519@openssh\.com\s|-----BEGIN )/.test(text) ||
    /^[A-Za-z0-9+/]{43}=$/.test(text.trim())
  );
}
