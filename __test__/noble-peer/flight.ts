/** The sealed messages of M4 and M5: `docs/PROTOCOL.md` §4. */
import { concat, Fields, isEqual, lv16, ProtocolFault, uint } from './byte-fields.js';
import { finished, type Transcript } from './key-schedule.js';
import {
  decodeInner,
  DirectionKeys,
  encodeInner,
  INNER_HEAD,
  MAX_RECORD,
  MIN_RECORD_LIMIT,
  type Suite,
  TYPE,
} from './record-layer.js';
import { readRotation, type Statement } from './rotation.js';
import {
  checkPublicKey,
  readSshBlob,
  type Side,
  signedData,
  type SigningIdentity,
  sshBlob,
  verifies,
} from './signing-identity.js';

/** Length of the inner part of M4 and M5. */
const FLIGHT_INNER = 1024;
/** Length of the body of M4 and M5. */
export const FLIGHT_LENGTH = FLIGHT_INNER + 16;

export interface Message {
  type: number;
  value: Uint8Array;
}

/** Numbers of the messages of each side. */
export const MESSAGES = {
  server: { parameters: 4, id: 5, signature: 6, finished: 7, rotation: 11 },
  client: { id: 8, signature: 9, finished: 10 },
} as const;

export const encodeMessage = ({ type, value }: Message): Uint8Array =>
  concat(Uint8Array.of(type), uint(value.length, 3), value);

/**
 * Where a peer that holds valid keys leaves the page. Each hook gets what belongs there and says what stands there
 * instead; all that comes after is computed over the changed value, as by a peer that means it.
 */
export interface Deviation {
  /** The body of M1 or M3. */
  hello?: (body: Uint8Array) => Uint8Array;
  /** The value of EE. */
  parameters?: (value: Uint8Array) => Uint8Array;
  /** The value of ID. */
  id?: (value: Uint8Array) => Uint8Array;
  /** As which side the signature is made. */
  signedAs?: Side;
  /** The transcript hash that is signed. */
  signedHash?: (hash: Uint8Array) => Uint8Array;
  /** The value of SIG. */
  signature?: (value: Uint8Array) => Uint8Array;
  /** Messages that stand in front of one of this type, which is ID, SIG, ROT or FIN. */
  before?: (type: number) => Message[];
  /** The value of FIN. */
  finished?: (code: Uint8Array) => Uint8Array;
  /** The messages as they are sent; the transcript keeps the original ones. */
  messages?: (messages: Message[]) => Message[];
  /** The inner part of the record as it is sealed. */
  inner?: (inner: Uint8Array) => Uint8Array;
}

const same = <T>(value: T): T => value;

/** What EE says. */
export interface Parameters {
  maxRecord: number;
  unixTime: number;
  sessionId: Uint8Array;
}

export function encodeParameters({ maxRecord, unixTime, sessionId }: Parameters): Uint8Array {
  return concat(uint(maxRecord, 4), uint(0, 4), uint(unixTime, 8), sessionId, new Uint8Array(8));
}

export function decodeParameters(value: Uint8Array): Parameters {
  const fields = new Fields(value);
  const maxRecord = fields.uint(4);
  if (maxRecord < MIN_RECORD_LIMIT || maxRecord > MAX_RECORD) throw new ProtocolFault('record limit');
  fields.take(4);
  const [unixTime, sessionId] = [fields.uint(8), fields.take(16)];
  fields.zero(8);
  fields.end();
  return { maxRecord, unixTime, sessionId };
}

/** One side's secret of the handshake and what has been said so far. */
export interface Stage {
  side: Side;
  secret: Uint8Array;
  transcript: Transcript;
}

/** What the other side has proved. */
export interface Proof {
  /** Its key; not in a join. */
  peer: Uint8Array | undefined;
  /** How the key of a server has changed, oldest first; mostly empty. */
  rotation: Statement[];
}

/**
 * ID, SIG and FIN, or FIN alone in a join (without an identity). They go into the transcript.
 *
 * @param rotation the value of ROT, of a server whose key has changed; not sent in a join.
 */
export function prove(
  stage: Stage,
  identity: SigningIdentity | undefined,
  deviation: Deviation,
  rotation?: Uint8Array,
): Message[] {
  const { side, secret, transcript } = stage;
  const messages: Message[] = [];
  const add = (type: number, value: () => Uint8Array): void => {
    for (const message of deviation.before?.(type) ?? []) append(message);
    append({ type, value: value() });
  };
  const append = (message: Message): void => {
    messages.push(message);
    transcript.add(encodeMessage(message));
  };
  if (identity !== undefined) {
    const id = concat(Uint8Array.of(1), lv16(sshBlob(identity.publicKey)));
    add(MESSAGES[side].id, () => (deviation.id ?? same)(id));
    const hash = (deviation.signedHash ?? same)(transcript.hash);
    const signature = identity.sign(signedData(deviation.signedAs ?? side, hash));
    add(MESSAGES[side].signature, () => (deviation.signature ?? same)(lv16(sshBlob(signature))));
    if (rotation !== undefined) add(MESSAGES.server.rotation, () => rotation);
  }
  add(MESSAGES[side].finished, () => (deviation.finished ?? same)(finished(secret, transcript.hash)));
  return messages;
}

/** Checks ID, SIG and FIN of the other side, or FIN alone in a join, and ROT where a server sends it. */
export function check(stage: Stage, messages: readonly Message[], isJoin: boolean): Proof {
  const { side, secret, transcript } = stage;
  const types = MESSAGES[side];
  const found = messages.map(({ type }) => type);
  const hasRotated = side === 'server' && found[2] === MESSAGES.server.rotation;
  const optional = hasRotated ? [MESSAGES.server.rotation] : [];
  const expected = isJoin ? [types.finished] : [types.id, types.signature, ...optional, types.finished];
  if (found.join() !== expected.join()) throw new ProtocolFault('messages out of order');
  let publicKey: Uint8Array | undefined;
  let rotation: Statement[] = [];
  for (const message of messages) {
    const fields = new Fields(message.value);
    if (message.type === types.id) {
      if (fields.uint(1) !== 1) throw new ProtocolFault('kind of identity');
      publicKey = readSshBlob(fields.lv16(), 32);
      fields.end();
      checkPublicKey(publicKey);
    } else if (message.type === types.signature) {
      const signature = readSshBlob(fields.lv16(), 64);
      fields.end();
      if (publicKey === undefined || !verifies(publicKey, signedData(side, transcript.hash), signature)) {
        throw new ProtocolFault('signature');
      }
    } else if (message.type === MESSAGES.server.rotation) {
      if (publicKey === undefined) throw new ProtocolFault('ROT without ID');
      rotation = readRotation(message.value, publicKey);
    } else if (!isEqual(message.value, finished(secret, transcript.hash))) {
      throw new ProtocolFault('Finished');
    }
    transcript.add(encodeMessage(message));
  }
  return { peer: publicKey, rotation };
}

/** The record M4 or M5. */
export function sealFlight(suite: Suite, secret: Uint8Array, messages: Message[], deviation: Deviation): Uint8Array {
  const content = concat(...(deviation.messages ?? same)(messages).map(encodeMessage));
  const pad = new Uint8Array(Math.max(0, FLIGHT_INNER - INNER_HEAD - content.length));
  const inner = encodeInner({ type: TYPE.handshake, flags: 0, stream: 0, content }, pad);
  return new DirectionKeys(suite, secret).seal((deviation.inner ?? same)(inner));
}

export function openFlight(suite: Suite, secret: Uint8Array, record: Uint8Array): Message[] {
  const inner = decodeInner(new DirectionKeys(suite, secret).open(record));
  if (record.length !== 4 + FLIGHT_LENGTH || inner.type !== TYPE.handshake) throw new ProtocolFault('M4 or M5');
  if (inner.flags !== 0 || inner.stream !== 0) throw new ProtocolFault('flags or stream of M4 or M5');
  const messages: Message[] = [];
  const fields = new Fields(inner.content);
  while (fields.left > 0) {
    const type = fields.uint(1);
    messages.push({ type, value: fields.take(fields.uint(3)) });
  }
  return messages;
}
