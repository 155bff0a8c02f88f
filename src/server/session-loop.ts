/**
 * The life of a session after login: one request after the other, until either side ends it.
 */
import { E2eeftpError } from '../errors.js';
import type { HookRegistry } from '../hooks/hook-registry.js';
import type { CommandRegistry } from '../e2eeftp/command-registry.js';
import { dispatch, refuse } from '../e2eeftp/dispatch.js';
import type { Outcome } from '../e2eeftp/dispatch.js';
import { Exchange } from '../e2eeftp/exchange.js';
import { MalformedRequest, decodeRequest } from '../e2eeftp/request.js';
import type { Request } from '../e2eeftp/request.js';
import { native } from '../native.js';
import type { Session } from './session.js';

/** After so many messages in a row that are no requests the session is ended. */
const MAX_MALFORMED_IN_A_ROW = 8;

/** What the loop needs to know, and whom it tells. */
export interface LoopOptions {
  readonly registry: CommandRegistry;
  readonly hooks: HookRegistry;
  readonly idleTimeoutMs: number;
  /** Whether new requests are to be refused because the server shuts down. */
  readonly isClosing: () => boolean;
  /** Called after each request; `verb` is `null` for a message that was no request. */
  readonly onAnswered: (verb: string | null, outcome: Outcome, exchange: Exchange, seconds: number) => void;
}

/**
 * Answers requests until the session ends.
 *
 * @throws E2eeftpError with the reason when it ended otherwise than by an orderly close.
 */
export async function runSession(session: Session, options: LoopOptions): Promise<void> {
  const { state } = session;
  let lastId = 0;
  let malformed = 0;
  for (;;) {
    const message = await native(() => state.channel.nextControl(options.idleTimeoutMs));
    if (message === null || message === undefined) return;
    const started = performance.now();
    const read = readRequest(message, lastId);
    const exchange = new Exchange(state, read.id);
    lastId = Math.max(lastId, read.id);
    malformed = read instanceof MalformedRequest ? malformed + 1 : 0;
    const outcome = await session.answering(() => answer(read, exchange, options)).finally(() => exchange.end());
    const verb = read instanceof MalformedRequest ? null : read.verb;
    options.onAnswered(verb, outcome, exchange, (performance.now() - started) / 1000);
    if (options.isClosing() || session.isEnding || malformed >= MAX_MALFORMED_IN_A_ROW) {
      await session.end();
      return;
    }
  }
}

function readRequest(message: Buffer, lastId: number): Request | MalformedRequest {
  try {
    return decodeRequest(message, lastId);
  } catch (error) {
    if (error instanceof MalformedRequest) return error;
    throw error;
  }
}

function answer(read: Request | MalformedRequest, exchange: Exchange, options: LoopOptions): Promise<Outcome> {
  if (read instanceof MalformedRequest) return refuse(exchange, read.cause);
  if (options.isClosing()) {
    return refuse(exchange, new E2eeftpError('E2EEFTP_SHUTTING_DOWN', 'The server is shutting down'));
  }
  return dispatch(options.registry, options.hooks, read, exchange);
}
