/** A connection after its handshake: records and control messages, as either side. */
import { decode, encode } from 'cborg';
import { ProtocolFault, uint } from './byte-fields.js';
import type { Established } from './handshake.js';
import { type Inner, INNER_HEAD, KIND, MAX_RECORD, Opener, Sealer, TAG, TYPE } from './record-layer.js';
import type { Side } from './signing-identity.js';
import type { Wire } from './wire.js';

/** The map of a control message. */
export type Control = Record<string, unknown>;

export class NobleSession {
  readonly wire: Wire;
  readonly established: Established;
  readonly sealer: Sealer;
  readonly opener: Opener;
  /** Whether a key update goes in front of every record that is sent. */
  renewsKey = false;
  /** How many of the other side's key updates were followed. */
  updatesSeen = 0;

  constructor(side: Side, wire: Wire, established: Established) {
    const { suite, application } = established;
    const [ours, theirs] =
      side === 'client' ? [application.client, application.server] : [application.server, application.client];
    this.wire = wire;
    this.established = established;
    this.sealer = new Sealer(suite, ours);
    this.opener = new Opener(suite, theirs);
  }

  /** The longest content that fits into one Data record of this session, without padding. */
  get contentLimit(): number {
    return Math.min(this.established.parameters.maxRecord - INNER_HEAD - TAG, 65_536);
  }

  /** Seals and sends one record; what is left out is 0 or empty. */
  async send(inner: Partial<Inner> & { type: number }, padLength?: number): Promise<void> {
    const update = this.renewsKey ? [this.seal({ type: TYPE.keyUpdate })] : [];
    await this.wire.send(...update, this.seal(inner, padLength));
  }

  seal(inner: Partial<Inner> & { type: number }, padLength?: number): Uint8Array {
    return this.sealer.seal({ flags: 0, stream: 0, content: new Uint8Array(), ...inner }, padLength);
  }

  async sendControl(message: Control): Promise<void> {
    await this.send({ type: TYPE.control, content: encode(message) });
  }

  /** Replaces the key of our direction. */
  async updateKey(): Promise<void> {
    await this.send({ type: TYPE.keyUpdate });
  }

  async sendBody(stream: number, content: Uint8Array, root: Uint8Array): Promise<void> {
    for (let at = 0; at < content.length; at += this.contentLimit) {
      await this.send({ type: TYPE.data, stream, content: content.slice(at, at + this.contentLimit) }, 0);
    }
    await this.sendEnd(stream, content.length, root);
  }

  async sendEnd(stream: number, total: number, root: Uint8Array): Promise<void> {
    await this.send({ type: TYPE.end, stream, content: Uint8Array.of(...uint(total, 8), ...root) });
  }

  /** The next record that is no key update. */
  async receive(): Promise<Inner> {
    for (;;) {
      const { maxRecord } = this.established.parameters;
      const record = await this.wire.record(KIND.protected, INNER_HEAD + TAG, Math.min(maxRecord, MAX_RECORD));
      const inner = this.opener.open(record);
      if (inner.type !== TYPE.keyUpdate) return inner;
      this.updatesSeen += 1;
    }
  }

  /** The next record, which must be a control message. */
  async control(): Promise<Control> {
    const inner = await this.receive();
    if (inner.type !== TYPE.control) throw new ProtocolFault(`a control message expected, not type ${inner.type}`);
    return decode(inner.content, { rejectDuplicateMapKeys: true, strict: true, allowUndefined: false }) as Control;
  }

  /** The reason of the other side's Close, which must be what comes next, and must be the last. */
  async closed(): Promise<number> {
    const inner = await this.receive();
    if (inner.type !== TYPE.close) throw new ProtocolFault(`Close expected, not type ${inner.type}`);
    return Buffer.from(inner.content).readUInt16BE();
  }

  /** Says good-bye, and that nothing follows in this direction. */
  async close(reason = 0): Promise<void> {
    await this.send({ type: TYPE.close, content: uint(reason, 2) });
    this.wire.socket.end();
  }
}
