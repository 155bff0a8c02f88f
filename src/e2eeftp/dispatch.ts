/**
 * From a request to its final reply. Whatever a handler does, exactly one final reply is sent while the session lives,
 * and the session is in step for the next request.
 */
import { randomBytes } from 'node:crypto';
import { E2eeftpError, codeForStatus, errorTable } from '../errors.js';
import type { HookRegistry } from '../hooks/hook-registry.js';
import { Denial } from '../hooks/verdict.js';
import { isExpired } from '../storage/grant.js';
import { isBodySource } from './body-pieces.js';
import type { CommandRegistry, CommandReply, HandlerResult } from './command-registry.js';
import type { ControlValue } from './control-value.js';
import type { Exchange } from './exchange.js';
import { HookedRequest } from './hooked-request.js';
import type { Request } from './request.js';
import { RequestContext } from './request-context.js';
import { STATUS_FAILURE, STATUS_OK } from './status.js';
import { answerSupplied } from './supplied-reply.js';
import { displayName } from '../storage/display-name.js';
import { canonicalPath, pathFromBytes } from '../storage/path-text.js';

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

/** The final reply of a request, encoded, and what it says. */
interface FinalReply {
  readonly message: Buffer;
  readonly outcome: Outcome;
}

/**
 * Runs a request between its hooks and sends its final reply. The after hooks hear of the result when the reply is
 * decided and before it is sent: a client that was told of a success can rely on what they have done.
 *
 * @throws only when the session died: nothing more can be sent.
 */
export async function dispatch(
  registry: CommandRegistry,
  hooks: HookRegistry,
  request: Request,
  exchange: Exchange,
): Promise<Outcome> {
  const running = new RunningRequest(registry, hooks, request, exchange);
  let failure: unknown;
  let reply: FinalReply | null = null;
  try {
    reply = await running.run();
  } catch (error) {
    failure = error;
  }
  try {
    if (reply === null) {
      if (exchange.isDead) throw failure;
      await exchange.endBody();
      reply = failureReply(exchange, failure);
    }
  } catch (lost) {
    await running.hooked?.after({ status: null, error: asError(failure) });
    throw worthReporting(failure, lost);
  }
  await running.hooked?.after(reply.outcome);
  try {
    await exchange.send(reply.message);
    recordTransfer(request, exchange, reply.outcome);
  } catch (lost) {
    throw failure === undefined ? lost : worthReporting(failure, lost);
  }
  return reply.outcome;
}

/** The client may ask for the receipt of what it was told is complete: under the name that it knows. */
function recordTransfer(request: Request, exchange: Exchange, { error }: Outcome): void {
  const { completed, session } = exchange;
  if (completed === null || error !== null) return;
  // A hook may have had another file sent than the one that was asked for.
  const asked = completed.direction === 'out' ? request.args['path'] : null;
  const path = asked instanceof Uint8Array ? pathFromBytes(asked) : completed.path;
  session.transfers.record(completed, canonicalPath(path));
}

/** Answers a request that is not to be run with a code of the table. */
export async function refuse(exchange: Exchange, error: E2eeftpError): Promise<Outcome> {
  const { message, outcome } = failureReply(exchange, error);
  await exchange.send(message);
  return outcome;
}

/** Nobody is left to be told: the log has to know of an application's fault, and of what closed the session. */
function worthReporting(failure: unknown, lost: unknown): unknown {
  return E2eeftpError.is(failure) && !E2eeftpError.is(lost, 'E2EEFTP_CLOSED') ? lost : failure;
}

function asError(failure: unknown): Error {
  return failure instanceof Error
    ? failure
    : new Error('a handler threw something that is no error', { cause: failure });
}

/** One request up to its final reply. */
class RunningRequest {
  /** Set as soon as the request is known to be for a command that has hooks. */
  hooked: HookedRequest | null = null;
  readonly #registry: CommandRegistry;
  readonly #hooks: HookRegistry;
  readonly #request: Request;
  readonly #exchange: Exchange;

  constructor(registry: CommandRegistry, hooks: HookRegistry, request: Request, exchange: Exchange) {
    this.#registry = registry;
    this.#hooks = hooks;
    this.#request = request;
    this.#exchange = exchange;
  }

  async run(): Promise<FinalReply> {
    const exchange = this.#exchange;
    const { status, text, members, body } = readReply(await this.#handle());
    await exchange.endBody();
    if (body !== null) await exchange.sendBody(body, exchange.announcement);
    const error = status < STATUS_FAILURE ? null : new E2eeftpError(codeForStatus(status), text, { status });
    return { message: exchange.encode(status, text, members), outcome: { status, error, reference: null } };
  }

  async #handle(): Promise<HandlerResult> {
    const { verb, args } = this.#request;
    const command = this.#registry.get(verb);
    if (command?.handler !== undefined) this.hooked = HookedRequest.of(this.#hooks, this.#request, this.#exchange);
    this.#requireAccess();
    if (command === undefined) throw new E2eeftpError('E2EEFTP_UNKNOWN_COMMAND', 'Invalid Command');
    if (command.handler === undefined) throw new E2eeftpError('E2EEFTP_NOT_IMPLEMENTED', 'Command not implemented');
    const asked = new RequestContext(verb, args, this.#exchange);
    const { permission = null } = command;
    if (permission !== null) asked.require(permission);
    if (this.hooked === null) return command.handler(asked);
    const decided = await this.hooked.before();
    // Hooks take their time: the grant may have ended meanwhile.
    this.#requireAccess();
    const context = new RequestContext(verb, decided.args, this.#exchange);
    return decided.supplied === null ? command.handler(context) : answerSupplied(context, decided.supplied);
  }

  #requireAccess(): void {
    const { grant, signal } = this.#exchange.session;
    signal.throwIfAborted();
    if (isExpired(grant)) {
      throw new E2eeftpError('E2EEFTP_EXPIRED', 'Not permitted: the access of this key has expired');
    }
  }
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

function failureReply(exchange: Exchange, failure: unknown): FinalReply {
  const answer = (
    status: number,
    text: string,
    members: { readonly [member: string]: string },
    error: E2eeftpError,
    reference: string | null = null,
  ): FinalReply => ({ message: exchange.encode(status, text, members), outcome: { status, error, reference } });
  if (failure instanceof Denial) {
    const { status, code, message } = failure;
    const error = new E2eeftpError(code, message, { status, cause: failure });
    return answer(status, wireText(message), { code }, error);
  }
  const error = E2eeftpError.is(failure) ? failure : null;
  const row = error === null ? null : errorTable[error.code];
  if (error !== null && row !== null && row.status !== null && row.status !== 500) {
    const status = isFailure(error.status) ? error.status : row.status;
    return answer(status, wireText(error.message), { code: error.code }, error);
  }
  if (error !== null && (error.code === 'E2EEFTP_PEER_STOPPED' || error.code === 'E2EEFTP_PEER_ABORTED')) {
    return answer(400, wireText(error.message), { code: error.code }, error);
  }
  const reference = randomBytes(6).toString('hex');
  const code = error?.code === 'E2EEFTP_IO' ? error.code : 'E2EEFTP_SERVER_ERROR';
  const wrapped =
    error ?? new E2eeftpError('E2EEFTP_SERVER_ERROR', 'a command handler failed', { cause: failure, reference });
  return answer(500, `Server error, reference ${reference}`, { code, reference }, wrapped, reference);
}

function isFailure(status: number | undefined): status is number {
  return Number.isInteger(status) && Number(status) >= STATUS_FAILURE && Number(status) <= 599;
}

/** An error's message may come from anywhere: made fit for a reply. */
function wireText(message: string): string {
  // The cut may go through a character.
  return displayName(message)
    .slice(0, MAX_TEXT)
    .replace(/[\ud800-\udbff]$/, '');
}
