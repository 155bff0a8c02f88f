/**
 * Replies as the client reads them.
 */
import { E2eeftpError, codeForStatus, errorTable, isErrorCode } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import { displayName } from '../../storage/display-name.js';
import { decodeControl } from '../control-codec.js';
import { ControlReader } from '../control-value.js';
import type { ControlMap } from '../control-value.js';
import { STATUS_FAILURE } from '../status.js';

/** A reply, checked as far as every reply can be. */
export interface Reply {
  readonly id: number;
  /** 100 to 599. */
  readonly status: number;
  /** For people; made safe to show. */
  readonly text: string;
  /** The whole message. */
  readonly members: ControlMap;
}

const MAX_TEXT = 1000;

/**
 * Decodes a reply.
 *
 * @throws E2eeftpError `E2EEFTP_PROTOCOL` for anything else.
 */
export function decodeReply(bytes: Uint8Array): Reply {
  try {
    const members = decodeControl(bytes);
    const reader = new ControlReader(members);
    const id = reader.count('id', 2 ** 32 - 1);
    const status = reader.count('status', 599);
    if (id === null || status === null || status < 100) {
      throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'id or status is missing');
    }
    return { id, status, text: displayName(reader.text('text')).slice(0, MAX_TEXT), members };
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server sent a reply that can’t be read', { cause: error });
  }
}

/** The error for a reply of status 400 or more; `null` for another one. */
export function replyError(reply: Reply): E2eeftpError | null {
  const { status, text, members } = reply;
  if (status < STATUS_FAILURE) return null;
  const code = knownCode(members['code'], status);
  const reference = members['reference'];
  return new E2eeftpError(code, text, {
    status,
    hint: typeof reference === 'string' ? 'the server’s log has the details under this reference' : undefined,
    reference: typeof reference === 'string' ? displayName(reference).slice(0, 64) : undefined,
  });
}

/** A server may name any code that travels; a code for something that only happens here is not believed. */
export function knownCode(code: unknown, status: number): ErrorCode {
  if (!isErrorCode(code)) return codeForStatus(status);
  const travels = errorTable[code].status !== null || code.startsWith('E2EEFTP_PEER_');
  return travels ? code : codeForStatus(status);
}
