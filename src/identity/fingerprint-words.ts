/**
 * A fingerprint as words to read aloud: the first 128 bits of the SHA-256 as 12 words of the English BIP-39 list, the
 * last of which carries a checksum of 4 bits. Whoever wants another key with the same words has 2^128 keys to try. The
 * words name a public key; they are no secret and no wallet.
 */
import { Buffer } from 'node:buffer';

/** Bytes of the hash that the words stand for. */
const LENGTH = 16;

/** Twelve words for `fingerprint` (`SHA256:…`). */
export async function fingerprintWords(fingerprint: string): Promise<readonly string[]> {
  // The list is loaded only by who wants words.
  const [{ entropyToMnemonic }, { wordlist }] = await Promise.all([
    import('@scure/bip39'),
    import('@scure/bip39/wordlists/english.js'),
  ]);
  const hash = Buffer.from(fingerprint.replace(/^SHA256:/, ''), 'base64');
  return entropyToMnemonic(new Uint8Array(hash.subarray(0, LENGTH)), wordlist).split(' ');
}
