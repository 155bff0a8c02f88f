/** Statements about a change of a server's key: `docs/PROTOCOL.md` §4.1, and the file of §10. */
import { concat, Fields, isEqual, ProtocolFault, text, uint } from './byte-fields.js';
import { checkPublicKey, fingerprint, type SigningIdentity, sshsigData, verifies } from './signing-identity.js';

const STATEMENT_LENGTH = 104;
const MOST_STATEMENTS = 4;

/** The holder of `oldKey` has said that `newKey` follows it. */
export interface Statement {
  oldKey: Uint8Array;
  newKey: Uint8Array;
  sequence: number;
  signature: Uint8Array;
}

/** What a statement says, before SSHSIG frames it. */
export const rotationMessage = (oldKey: Uint8Array, newKey: Uint8Array, sequence: number | bigint): Uint8Array =>
  concat(text('e2eeftp/1 server key rotation\0'), oldKey, newKey, uint(sequence, 8));

export const rotationData = (message: Uint8Array): Uint8Array => sshsigData('rotate@e2eeftp', message);

/** A statement as a server sends it. @param signature of `old` over what the page says, unless given. */
export function encodeStatement(
  old: SigningIdentity,
  newKey: Uint8Array,
  sequence: number | bigint,
  signature: Uint8Array = old.sign(rotationData(rotationMessage(old.publicKey, newKey, sequence))),
): Uint8Array {
  return concat(old.publicKey, uint(sequence, 8), signature);
}

/** The value of ROT of a server that has had these keys, oldest first; the numbers are 1, 2, 3, … */
export const encodeChain = (identities: readonly SigningIdentity[]): Uint8Array =>
  concat(
    ...identities.slice(1).map((next, index) => {
      const old = identities[index];
      if (old === undefined) throw new RangeError('no key before this one');
      return encodeStatement(old, next.publicKey, index + 1);
    }),
  );

/**
 * Reads the value of ROT of a server that has `key`, oldest statement first.
 *
 * @throws ProtocolFault unless all of it holds.
 */
export function readRotation(value: Uint8Array, key: Uint8Array): Statement[] {
  const count = value.length / STATEMENT_LENGTH;
  if (!Number.isInteger(count) || count < 1 || count > MOST_STATEMENTS) throw new ProtocolFault('length of ROT');
  const fields = new Fields(value);
  const said = Array.from({ length: count }, () => {
    const [oldKey, sequence, signature] = [fields.take(32), fields.uint(8), fields.take(64)];
    checkPublicKey(oldKey);
    return { oldKey, sequence, signature };
  });
  let last = 0;
  return said.map((statement, index) => {
    const { oldKey, sequence, signature } = statement;
    const newKey = said[index + 1]?.oldKey ?? key;
    // A number that is too large for a double is not safe either.
    if (sequence <= last || !Number.isSafeInteger(sequence)) throw new ProtocolFault('number of a statement');
    last = sequence;
    if (isEqual(oldKey, newKey)) throw new ProtocolFault('a key that follows itself');
    if (!verifies(oldKey, rotationData(rotationMessage(oldKey, newKey, sequence)), signature)) {
      throw new ProtocolFault('signature of a statement');
    }
    return { ...statement, newKey };
  });
}

/** `server_id.rotation`, without its comments: a line for each statement. */
export const rotationLines = (statements: readonly Statement[]): string[] =>
  statements.map(({ oldKey, newKey, sequence, signature }) => {
    const words = [oldKey, newKey, signature].map((bytes) => Buffer.from(bytes).toString('base64'));
    return [sequence, ...words].join(' ');
  });

/** What a client remembers of a server from an earlier connection. */
export class KnownServer {
  key: Uint8Array;
  /** Of the last statement that was followed; 0 = none. */
  sequence: number;

  constructor(key: Uint8Array, sequence: number = 0) {
    this.key = key;
    this.sequence = sequence;
  }

  /**
   * Trusts the key, or follows the statements to it and remembers it.
   *
   * @param statements verified, as {@link readRotation} returns them.
   * @throws ProtocolFault when nothing leads from what is known to `key`.
   */
  judge(key: Uint8Array, statements: readonly Statement[]): void {
    if (isEqual(this.key, key)) return;
    const first = statements.find(({ oldKey }) => isEqual(oldKey, this.key));
    const last = statements.at(-1);
    if (first === undefined || last === undefined || first.sequence <= this.sequence) {
      throw new ProtocolFault(`the server has the key ${fingerprint(key)}`);
    }
    [this.key, this.sequence] = [key, last.sequence];
  }
}
