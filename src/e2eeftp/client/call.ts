/**
 * Calling any command by its verb, with a body in either direction.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { E2eeftpError } from '../../errors.js';
import { byteCount } from '../../storage/byte-count.js';
import type { ByteCount } from '../../storage/byte-count.js';
import type { BodySource } from '../command-registry.js';
import type { ControlMap } from '../control-value.js';
import type { InboundBody } from './bodies.js';
import type { Channel, RequestArgs } from './channel.js';

/** Options of `client.call`. */
export interface CallOptions {
  /** Body of the request: bytes, text, or what yields them. Sent when the command asks for it. */
  readonly body?: BodySource | Uint8Array | string;
  /** Where the body of the reply goes, with back-pressure; it is not ended. Without it the reply carries the body. */
  readonly output?: Writable;
  /** Longest body that the reply may carry, in bytes. @default 16 MiB */
  readonly maxBodyLength?: ByteCount;
  /** How long each reply may take, in milliseconds; 0 = no limit. @default the client's */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The reply of a command. */
export interface CallReply {
  /** 200 to 399. */
  readonly status: number;
  readonly text: string;
  /** Everything else that the handler answered: an object without prototype. */
  readonly fields: ControlMap;
  /** Body of the reply, unless it went to `output`; `null` when there was none. */
  readonly body: Buffer | null;
}

const DEFAULT_MAX_BODY = 16 * 1024 * 1024;
const protocolMembers: ReadonlySet<string> = new Set(['id', 'status', 'text', 'code']);

/** Calls a command; see `Client.call`. */
export async function callCommand(
  channel: Channel,
  verb: string,
  args: RequestArgs,
  options: CallOptions,
): Promise<CallReply> {
  if ('id' in args || 'verb' in args) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'the arguments of a command can’t be called id or verb');
  }
  const { body, output } = options;
  const limit = options.maxBodyLength ?? DEFAULT_MAX_BODY;
  const maxBodyLength = limit === Infinity ? limit : byteCount(limit, 'maxBodyLength');
  let received: Buffer | null = null;
  const reply = await channel.request(verb, args, {
    signal: options.signal,
    replyTimeoutMs: options.timeoutMs,
    ...(body === undefined
      ? {}
      : {
          send: async (outbound) => {
            await outbound.fromSource(typeof body === 'string' || body instanceof Uint8Array ? [body] : body);
          },
        }),
    receive: async (inbound) => {
      if (output === undefined) received = await collect(inbound, maxBodyLength);
      else await pour(inbound, output);
    },
  });
  const fields = Object.create(null) as Record<string, ControlMap[string]>;
  for (const [name, value] of Object.entries(reply.members)) {
    if (!protocolMembers.has(name)) fields[name] = value;
  }
  return { status: reply.status, text: reply.text, fields, body: received };
}

async function collect(inbound: InboundBody, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of inbound.pieces()) {
    length += piece.length;
    if (length > limit) {
      throw new E2eeftpError('E2EEFTP_TOO_LARGE', `the body of the reply is longer than ${limit} bytes`, {
        hint: 'pass an output stream for it',
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function pour(inbound: InboundBody, output: Writable): Promise<void> {
  for await (const piece of inbound.pieces()) {
    if (output.destroyed) throw output.errored ?? new E2eeftpError('E2EEFTP_CLOSED', 'the output stream was closed');
    if (!output.write(piece)) await drained(output);
  }
}

async function drained(output: Writable): Promise<void> {
  const over = new AbortController();
  const closed = once(output, 'close', { signal: over.signal }).then(() => {
    throw new E2eeftpError('E2EEFTP_CLOSED', 'the output stream was closed');
  });
  try {
    await Promise.race([once(output, 'drain', { signal: over.signal }), closed]);
  } finally {
    over.abort();
    await closed.catch(() => undefined);
  }
}
