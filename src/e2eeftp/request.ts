/**
 * A request as it came off the wire, checked as far as every request can be.
 */
import { E2eeftpError } from '../errors.js';
import { decodeControl } from './control-codec.js';
import { ControlReader } from './control-value.js';
import type { ControlMap } from './control-value.js';

/** Largest request id. */
export const MAX_REQUEST_ID: number = 2 ** 32 - 1;

/** One decoded request. */
export interface Request {
  /** Chosen by the client, 1 to 2^32 - 1, rising within a session; also the stream id of its bodies. */
  readonly id: number;
  /** Upper case. */
  readonly verb: string;
  /** Every other member: an object without prototype. */
  readonly args: ControlMap;
}

/**
 * Decodes a request.
 *
 * @param lastId id of the request before, 0 at first.
 * @throws MalformedRequest with the id to answer under.
 */
export function decodeRequest(bytes: Uint8Array, lastId: number): Request {
  let id = 0;
  try {
    const message = decodeControl(bytes);
    const reader = new ControlReader(message);
    const given = reader.count('id', MAX_REQUEST_ID) ?? 0;
    if (given <= lastId) throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'Malformed request: ids must rise from 1');
    id = given;
    const verb = reader.text('verb').toUpperCase();
    const args = Object.create(null) as Record<string, ControlMap[string]>;
    for (const [name, value] of Object.entries(message)) {
      if (name !== 'id' && name !== 'verb') args[name] = value;
    }
    return { id, verb, args };
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST')) throw new MalformedRequest(id, error);
    throw error;
  }
}

/** A message that is no request. `id` is 0 when not even that could be read. */
export class MalformedRequest extends Error {
  readonly id: number;
  override readonly cause: E2eeftpError;

  constructor(id: number, cause: E2eeftpError) {
    super(cause.message);
    this.name = 'MalformedRequest';
    this.id = id;
    this.cause = cause;
  }
}
