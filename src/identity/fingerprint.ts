/**
 * Fingerprints: `SHA256:` and the unpadded base64 of the SHA-256 of the SSH key blob, as OpenSSH shows them.
 */
const shape = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** Whether `text` is a fingerprint. */
export function isFingerprint(text: string): boolean {
  return shape.test(text);
}

/** Whether `text` means to be a fingerprint, well-formed or not: it starts with `SHA256:`. */
export function looksLikeFingerprint(text: string): boolean {
  return text.startsWith('SHA256:');
}
