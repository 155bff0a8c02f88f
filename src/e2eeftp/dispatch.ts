/**
 * From a request to its final reply. Whatever a handler does, exactly one final reply is sent while the session lives,
 * and the session is in step for the next request.
 */
import { randomBytes } from 'node:crypto';
import { E2eeftpError, errorTable } from '../errors.js';
import { isExpired } from '../storage/grant.js';
import { isBodySource } from './body-pieces.js';
import type { CommandRegistry, CommandReply, HandlerResult } from './command-registry.js';
import type { ControlValue } from './control-value.js';
import type { Exchange } from './exchange.js';
import type { Request } from './request.js';
import { RequestContext } from './request-context.js';
import { STATUS_FAILURE, STATUS_OK } from './status.js';
import { displayName } from '../storage/display-name.js';

/** How a request ended. */
export interface Outcome {
  readonly status: number;
  /** The failure behind a status of 400 and more. */
  readonly error: E2eeftpError | null;
  /** Set for a 500: the number that the client was told. */
  readonly reference: string | null;
}

/** Longest text of a failure, in UTF-16 units. */
const MAX_TEXT = 1000;

/** Members that the protocol itself uses. */
const protocolMembers: ReadonlySet<string> = new Set(['id', 'status', 'text', 'body', 'code', 'reference']);

/**
 * Runs a request and sends its final reply.
 *
 * @throws only when the session died: nothing more can be sent.
 */
export async function dispatch(registry: CommandRegistry, request: Request, exchange: Exchange): Promise<Outcome> {
  let failure: unknown;
  try {
    const reply = await run(registry, request, exchange);
    const { status, text, members, body } = readReply(reply);
    await exchange.endBody();
    if (body !== null) await exchange.sendBody(body, exchange.announcement);
    await exchange.reply(status, text, members);
    return { status, error: null, reference: null };
  } catch (error) {
    failure = error;
  }
  if (exchange.isDead) throw failure;
  try {
    await exchange.endBody();
    return await answerFailure(exchange, failure);
  } catch (lost) {
    // Nobody is left to be told: the log has to know of an application's fault, and of what closed the session.
    throw E2eeftpError.is(failure) && !E2eeftpError.is(lost, 'E2EEFTP_CLOSED') ? lost : failure;
  }
}

/** Answers a request that is not to be run with a code of the table. */
export async function refuse(exchange: Exchange, error: E2eeftpError): Promise<Outcome> {
  return answerFailure(exchange, error);
}

async function run(registry: CommandRegistry, request: Request, exchange: Exchange): Promise<HandlerResult> {
  const { grant } = exchange.session;
  if (isExpired(grant)) throw new E2eeftpError('E2EEFTP_EXPIRED', 'Not permitted: the access of this key has expired');
  const command = registry.get(request.verb);
  if (command === undefined) throw new E2eeftpError('E2EEFTP_UNKNOWN_COMMAND', 'Invalid Command');
  if (command.handler === undefined) throw new E2eeftpError('E2EEFTP_NOT_IMPLEMENTED', 'Command not implemented');
  const context = new RequestContext(request.verb, request.args, exchange);
  const { permission = null } = command;
  if (permission !== null) context.require(permission);
  return command.handler(context);
}

interface CheckedReply {
  readonly status: number;
  readonly text: string;
  readonly members: { readonly [member: string]: ControlValue | undefined };
  readonly body: NonNullable<CommandReply['body']> | null;
}

/** A handler is an application's code: what it returns is checked like any input. */
function readReply(reply: HandlerResult): CheckedReply {
  if (reply === undefined) return { status: STATUS_OK, text: 'OK', members: {}, body: null };
  if (typeof reply !== 'object' || reply === null) throw new TypeError('a handler returns an object or nothing');
  const { status = STATUS_OK, text = 'OK', body = null } = reply;
  if (!Number.isInteger(status) || status < STATUS_OK || status > 599) {
    throw new TypeError('the status of a reply is a whole number from 200 to 599');
  }
  if (typeof text !== 'string') throw new TypeError('the text of a reply is a string');
  if (body !== null && !isBodySource(body)) throw new TypeError('the body of a reply is an iterable of byte arrays');
  const members: Record<string, ControlValue | undefined> = {};
  for (const [name, value] of Object.entries(reply)) {
    if (!protocolMembers.has(name)) members[name] = value as ControlValue | undefined;
  }
  return { status, text, members, body };
}

async function answerFailure(exchange: Exchange, failure: unknown): Promise<Outcome> {
  const error = E2eeftpError.is(failure) ? failure : null;
  const row = error === null ? null : errorTable[error.code];
  if (error !== null && row !== null && row.status !== null && row.status !== 500) {
    const status = isFailure(error.status) ? error.status : row.status;
    await exchange.reply(status, wireText(error.message), { code: error.code });
    return { status, error, reference: null };
  }
  if (error !== null && (error.code === 'E2EEFTP_PEER_STOPPED' || error.code === 'E2EEFTP_PEER_ABORTED')) {
    await exchange.reply(400, wireText(error.message), { code: error.code });
    return { status: 400, error, reference: null };
  }
  const reference = randomBytes(6).toString('hex');
  const code = error?.code === 'E2EEFTP_IO' ? error.code : 'E2EEFTP_SERVER_ERROR';
  await exchange.reply(500, `Server error, reference ${reference}`, { code, reference });
  const wrapped =
    error ?? new E2eeftpError('E2EEFTP_SERVER_ERROR', 'a command handler failed', { cause: failure, reference });
  return { status: 500, error: wrapped, reference };
}

function isFailure(status: number | undefined): status is number {
  return Number.isInteger(status) && Number(status) >= STATUS_FAILURE && Number(status) <= 599;
}

/** An error's message may come from anywhere: made fit for a reply. */
function wireText(message: string): string {
  return displayName(message).slice(0, MAX_TEXT);
}
