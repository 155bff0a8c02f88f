/** Ed25519 identities in SSH's forms: `docs/PROTOCOL.md` §4 and §10, OpenSSH `PROTOCOL.sshsig`. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { concat, Fields, fromHex, isEqual, ProtocolFault, sshString, text } from './byte-fields.js';

const KEY_TYPE = text('ssh-ed25519');

/** Which side of a connection speaks. */
export type Side = 'server' | 'client';

export class SigningIdentity {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;

  /** @param seed 32 bytes: the private key. */
  constructor(seed: Uint8Array) {
    this.seed = seed;
    this.publicKey = ed25519.getPublicKey(seed);
  }

  sign(message: Uint8Array): Uint8Array {
    return ed25519.sign(message, this.seed);
  }

  /** PKCS#8 PEM, version 1, as `openssl genpkey` writes it. */
  get pem(): string {
    const der = concat(fromHex('302e020100300506032b657004220420'), this.seed);
    return `-----BEGIN PRIVATE KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PRIVATE KEY-----\n`;
  }
}

/** `string "ssh-ed25519" ‖ string value`: a public key, or a signature. */
export const sshBlob = (value: Uint8Array): Uint8Array => concat(sshString(KEY_TYPE), sshString(value));

export function readSshBlob(blob: Uint8Array, length: number): Uint8Array {
  const fields = new Fields(blob);
  if (!isEqual(fields.sshString(), KEY_TYPE)) throw new ProtocolFault('not ssh-ed25519');
  const value = fields.sshString();
  fields.end();
  if (value.length !== length) throw new ProtocolFault('length in an SSH blob');
  return value;
}

/** `ssh-ed25519 AAAA…`. */
export const openSshLine = (publicKey: Uint8Array): string =>
  `ssh-ed25519 ${Buffer.from(sshBlob(publicKey)).toString('base64')}`;

export const fingerprint = (publicKey: Uint8Array): string =>
  `SHA256:${Buffer.from(sha256(sshBlob(publicKey)))
    .toString('base64')
    .replace(/=+$/, '')}`;

/** What SSHSIG signs for a message. */
export function sshsigData(namespace: string, message: Uint8Array): Uint8Array {
  const none = new Uint8Array();
  const strings = [text(namespace), none, text('sha512'), sha512(message)];
  return concat(text('SSHSIG'), ...strings.map(sshString));
}

/** What one side signs. @param hash TH(through its ID). */
export function signedData(side: Side, hash: Uint8Array): Uint8Array {
  const message = concat(new Uint8Array(64).fill(0x20), text(`e2eeftp/1 ${side} signature`), Uint8Array.of(0), hash);
  return sshsigData(`${side}-auth@e2eeftp`, message);
}

/** RFC 8032 as written, without the leniency of ZIP 215. */
export const verifies = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  ed25519.verify(signature, message, publicKey, { zip215: false });

/** Refuses what is no canonical encoding of a point, and points of small order. */
export function checkPublicKey(publicKey: Uint8Array): void {
  try {
    if (!ed25519.Point.fromBytes(publicKey, false).isSmallOrder()) return;
  } catch {
    throw new ProtocolFault('not the encoding of a point');
  }
  throw new ProtocolFault('a point of small order');
}
