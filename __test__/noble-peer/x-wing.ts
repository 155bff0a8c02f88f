/**
 * X-Wing (draft-connolly-cfrg-xwing-kem) put together from its two halves, so that tests can hold one of them without
 * the other, and the key shares that `docs/PROTOCOL.md` §3.1 refuses.
 */
import { x25519 } from '@noble/curves/ed25519.js';
import { sha3_256, shake256 } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { concat, hex, ProtocolFault, text } from './byte-fields.js';

export const ENCAPSULATION_KEY_LENGTH = 1216;
export const CIPHERTEXT_LENGTH = 1120;
const ML_KEM_KEY_LENGTH = 1184;
const ML_KEM_CIPHERTEXT_LENGTH = 1088;
const LABEL = text('\\.//^\\');

/** The secrets of the two halves, out of which X-Wing's is made. */
export interface Halves {
  mlKem: Uint8Array;
  x25519: Uint8Array;
}

export interface KeyPair {
  encapsulationKey: Uint8Array;
  mlKemSecretKey: Uint8Array;
  x25519SecretKey: Uint8Array;
}

/** @param seed 32 bytes. */
export function keyPair(seed: Uint8Array): KeyPair {
  const expanded = shake256(seed, { dkLen: 96 });
  const mlKem = ml_kem768.keygen(expanded.slice(0, 64));
  const x25519SecretKey = expanded.slice(64);
  return {
    encapsulationKey: concat(mlKem.publicKey, x25519.getPublicKey(x25519SecretKey)),
    mlKemSecretKey: mlKem.secretKey,
    x25519SecretKey,
  };
}

/** @param coins 32 bytes for ML-KEM, 32 for X25519. */
export function encapsulate(
  encapsulationKey: Uint8Array,
  coins: Uint8Array,
): { ciphertext: Uint8Array; halves: Halves; shared: Uint8Array } {
  const [mlKemKey, x25519Key] = [
    encapsulationKey.slice(0, ML_KEM_KEY_LENGTH),
    encapsulationKey.slice(ML_KEM_KEY_LENGTH),
  ];
  const { cipherText, sharedSecret } = ml_kem768.encapsulate(mlKemKey, coins.slice(0, 32));
  const ephemeral = coins.slice(32);
  const ciphertext = concat(cipherText, x25519.getPublicKey(ephemeral));
  const halves = { mlKem: sharedSecret, x25519: x25519.getSharedSecret(ephemeral, x25519Key) };
  return { ciphertext, halves, shared: combine(halves, ciphertext, encapsulationKey) };
}

export function decapsulate(pair: KeyPair, ciphertext: Uint8Array): { halves: Halves; shared: Uint8Array } {
  const halves = {
    mlKem: ml_kem768.decapsulate(ciphertext.slice(0, ML_KEM_CIPHERTEXT_LENGTH), pair.mlKemSecretKey),
    x25519: x25519.getSharedSecret(pair.x25519SecretKey, ciphertext.slice(ML_KEM_CIPHERTEXT_LENGTH)),
  };
  return { halves, shared: combine(halves, ciphertext, pair.encapsulationKey) };
}

/** SHA3-256(ML-KEM secret ‖ X25519 secret ‖ X25519 ciphertext ‖ X25519 key ‖ label). */
export function combine(halves: Halves, ciphertext: Uint8Array, encapsulationKey: Uint8Array): Uint8Array {
  const x25519Ciphertext = ciphertext.slice(ML_KEM_CIPHERTEXT_LENGTH);
  const x25519Key = encapsulationKey.slice(ML_KEM_KEY_LENGTH);
  return sha3_256(concat(halves.mlKem, halves.x25519, x25519Ciphertext, x25519Key, LABEL));
}

/** The encodings of small order, top bit cleared. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  ...['ec', 'ed', 'ee'].map((low) => `${low}${'ff'.repeat(30)}7f`),
]);

/** Refuses a weak encapsulation key (1216 bytes) or ciphertext (1120 bytes). */
export function checkShare(share: Uint8Array): void {
  const point = share.slice(-32);
  point[31] = (point[31] ?? 0) & 0x7f;
  if (SMALL_ORDER.has(hex(point))) throw new ProtocolFault('an X25519 share of small order');
  if (share.length !== ENCAPSULATION_KEY_LENGTH) return;
  // The coefficients fill all but the last 32 bytes of the ML-KEM key, two of 12 bits in three bytes.
  for (let at = 0; at < ML_KEM_KEY_LENGTH - 32; at += 3) {
    const [a = 0, b = 0, c = 0] = share.slice(at, at + 3);
    if ((a | ((b & 0x0f) << 8)) >= 3329 || ((b >> 4) | (c << 4)) >= 3329) {
      throw new ProtocolFault('an ML-KEM coefficient out of range');
    }
  }
}
