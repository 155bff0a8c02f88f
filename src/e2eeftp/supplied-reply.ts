/**
 * The reply that a hook supplied, sent as the handler's would have been. The content of a GET is announced with its
 * length and closed with length and root, so that the client verifies it like a file.
 */
import { pathFromBytes } from '../storage/path-text.js';
import type { SuppliedBody, SuppliedReply } from '../hooks/verdict.js';
import type { BodySource, CommandReply } from './command-registry.js';
import type { RequestContext } from './request-context.js';
import { STATUS_FAILURE, STATUS_TRANSFER_COMPLETE } from './status.js';

/** Answers with what a hook supplied. @throws TypeError for a GET without content or with content of another length. */
export async function answerSupplied(context: RequestContext, supplied: SuppliedReply): Promise<CommandReply> {
  const { body, ...members } = supplied;
  const isRefusal = (supplied.status ?? 0) >= STATUS_FAILURE;
  if (context.verb === 'GET' && !isRefusal) return supplyFile(context, supplied);
  return { ...(members as CommandReply), ...(body === undefined ? {} : { body: pieces(body) }) };
}

async function supplyFile(context: RequestContext, supplied: SuppliedReply): Promise<CommandReply> {
  const { body, size = lengthOf(body), status = STATUS_TRANSFER_COMPLETE, text = 'Transfer Complete' } = supplied;
  const { mtime = null, mode = null } = supplied as { readonly mtime?: number | null; readonly mode?: number | null };
  if (body === undefined) throw new TypeError('a supplied GET needs a body');
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw new TypeError('a supplied GET whose body is a stream needs its size in bytes');
  }
  const { exchange } = context;
  const { bytes, root } = await exchange.sendBody(ofLength(pieces(body), size), { size, mtime, mode });
  exchange.completed = {
    direction: 'out',
    path: pathFromBytes(context.input.bytes('path')),
    bytes,
    root: root.toString('hex'),
  };
  return { status, text, bytes, root };
}

function pieces(body: SuppliedBody): BodySource {
  return typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
}

function lengthOf(body: SuppliedBody | undefined): number | undefined {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : undefined;
}

/** The same pieces; fails when they are not `size` bytes together, instead of letting the client find out. */
async function* ofLength(source: BodySource, size: number): AsyncGenerator<Uint8Array | string, void, undefined> {
  let length = 0;
  for await (const piece of source) {
    length += lengthOf(piece) ?? 0;
    if (length > size) throw new TypeError(`a supplied body is longer than its size of ${size} bytes`);
    yield piece;
  }
  if (length < size) throw new TypeError(`a supplied body is shorter than its size of ${size} bytes`);
}
