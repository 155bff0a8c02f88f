/** M1 and M3: `docs/PROTOCOL.md` §2 and §3. */
import { concat, Fields, isZero, ProtocolFault, uint } from './byte-fields.js';
import type { Suite } from './record-layer.js';
import { checkShare, CIPHERTEXT_LENGTH, ENCAPSULATION_KEY_LENGTH } from './x-wing.js';

export const CLIENT_HELLO_LENGTH = 1536;
export const SERVER_HELLO_LENGTH = 1216;
/** How much of M1 the join binder covers. */
export const BOUND_LENGTH = 1288;
const EXTENSIONS_LENGTH = 112;
const JOIN = 0x02;

/** Which AEADs one side has, as bits (1 AES-256-GCM, 2 ChaCha20-Poly1305), and which it prefers. */
export interface Offer {
  suites: number;
  preferred: Suite;
}

export interface ClientHello extends Offer {
  isJoin: boolean;
  random: Uint8Array;
  encapsulationKey: Uint8Array;
  joinId: Uint8Array;
  binder: Uint8Array;
  /** At most 112 bytes; what is missing is zero. */
  extensions: Uint8Array;
}

const suiteBit = (suite: number): number => 1 << (suite - 1);

export function encodeClientHello(hello: ClientHello): Uint8Array {
  return concat(
    Uint8Array.of(1, 1, hello.isJoin ? JOIN : 0, 1),
    uint(hello.suites, 2),
    Uint8Array.of(hello.preferred, 0),
    hello.random,
    hello.encapsulationKey,
    hello.joinId,
    hello.binder,
    new Uint8Array(64 + 8),
    hello.extensions,
    new Uint8Array(EXTENSIONS_LENGTH - hello.extensions.length),
    new Uint8Array(16),
  );
}

export function decodeClientHello(body: Uint8Array): ClientHello {
  if (body.length !== CLIENT_HELLO_LENGTH) throw new ProtocolFault('length of M1');
  const fields = new Fields(body);
  if (fields.uint(1) !== 1 || fields.uint(1) !== 1) throw new ProtocolFault('message or version');
  const flags = fields.uint(1);
  if ((flags & ~JOIN) !== 0) throw new ProtocolFault('flags of M1');
  if ((fields.uint(1) & 1) === 0) throw new ProtocolFault('no ssh-ed25519');
  const [suites, preferred] = [fields.uint(2), fields.uint(1)];
  if ((preferred !== 1 && preferred !== 2) || (suites & suiteBit(preferred)) === 0) {
    throw new ProtocolFault('preferred suite');
  }
  fields.zero(1);
  const random = fields.take(32);
  const encapsulationKey = fields.take(ENCAPSULATION_KEY_LENGTH);
  const [joinId, binder] = [fields.take(32), fields.take(48)];
  fields.zero(64 + 8);
  const extensions = fields.take(EXTENSIONS_LENGTH);
  checkExtensions(extensions);
  fields.zero(16);
  checkShare(encapsulationKey);
  return { isJoin: flags === JOIN, suites, preferred, random, encapsulationKey, joinId, binder, extensions };
}

export interface ServerHello {
  suite: Suite;
  isJoin: boolean;
  random: Uint8Array;
  ciphertext: Uint8Array;
}

export function encodeServerHello(hello: ServerHello): Uint8Array {
  return concat(
    Uint8Array.of(3, 1, hello.suite, hello.isJoin ? 1 : 0),
    new Uint8Array(4),
    hello.random,
    hello.ciphertext,
    new Uint8Array(56),
  );
}

/** @param asked what M1 said. */
export function decodeServerHello(body: Uint8Array, asked: { suites: number; isJoin: boolean }): ServerHello {
  if (body.length !== SERVER_HELLO_LENGTH) throw new ProtocolFault('length of M3');
  const fields = new Fields(body);
  if (fields.uint(1) !== 3 || fields.uint(1) !== 1) throw new ProtocolFault('message or version');
  const suite = fields.uint(1);
  if ((suite !== 1 && suite !== 2) || (asked.suites & suiteBit(suite)) === 0) throw new ProtocolFault('suite');
  if (fields.uint(1) !== (asked.isJoin ? 1 : 0)) throw new ProtocolFault('flags of M3');
  fields.zero(4);
  const random = fields.take(32);
  const ciphertext = fields.take(CIPHERTEXT_LENGTH);
  checkExtensions(fields.take(56));
  checkShare(ciphertext);
  return { suite, isJoin: asked.isJoin, random, ciphertext };
}

/** The suite that a server uses. */
export function chooseSuite(client: Offer, server: Offer): Suite {
  const common = client.suites & server.suites & 3;
  if (common === 0) throw new ProtocolFault('no common suite');
  if (common !== 3) return common as Suite;
  return client.preferred === 1 && server.preferred === 1 ? 1 : 2;
}

/** Version 1 knows no extension: only the form of the list is looked at. */
function checkExtensions(area: Uint8Array): void {
  const fields = new Fields(area);
  while (fields.left >= 4) {
    const type = fields.uint(2);
    if (type === 0) break;
    fields.lv16();
  }
  if (!isZero(fields.take(fields.left))) throw new ProtocolFault('extensions go on after their end');
}
