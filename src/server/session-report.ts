/**
 * What is logged and emitted about the requests of a session.
 */
import { E2eeftpError } from '../errors.js';
import type { Outcome } from '../e2eeftp/dispatch.js';
import type { Exchange } from '../e2eeftp/exchange.js';
import type { Receipt } from '../e2eeftp/receipt.js';
import type { RequestContext } from '../e2eeftp/request-context.js';
import { displayName } from '../storage/display-name.js';
import type { EventHub } from './event-hub.js';
import type { Logger } from './logger.js';
import type { Session } from './session.js';

/** Reports one answered request. `verb` is `null` for a message that was no request. */
export function reportAnswer(
  session: Session,
  logger: Logger,
  events: EventHub,
  verb: string | null,
  outcome: Outcome,
  exchange: Exchange,
  seconds: number,
): void {
  const { status, error, reference } = outcome;
  const fields = {
    session: session.id,
    user: session.user,
    verb: verb === null ? null : displayName(verb).slice(0, 64),
    status,
    seconds,
  };
  for (const note of exchange.notes) logger.warn({ ...fields, err: note }, 'a staged file could not be removed');
  if (reference !== null) {
    const cause = error?.code === 'E2EEFTP_SERVER_ERROR' ? (error.cause ?? error) : error;
    events.error(cause, 'a request failed', { ...fields, reference });
    return;
  }
  if (exchange.completed !== null && error === null) {
    const { path, bytes, root, offset } = exchange.completed;
    const part = offset === undefined ? {} : { offset };
    logger.info({ ...fields, path: displayName(path), bytes, root, ...part }, 'transfer complete');
    const { host, fingerprint } = session.peer;
    const file = { path, bytes, root, ...part };
    events.emit('transfer', { verb: verb ?? '', user: session.user, fingerprint, host, ...file, seconds });
    return;
  }
  if (error !== null)
    logger.info({ ...fields, code: error.code, cause: displayName(error.message) }, 'request refused');
  else logger.debug(fields, 'request answered');
}

/** Reports a receipt that both sides have signed, before the client has it. */
export function reportReceipt(context: RequestContext, receipt: Receipt, logger: Logger, events: EventHub): void {
  const { user, peer } = context;
  const { host, fingerprint } = peer;
  const { id, direction, bytes, root } = receipt;
  logger.info({ user, id, direction, path: displayName(receipt.path ?? ''), bytes, root }, 'receipt signed');
  events.emit('receipt', { user, fingerprint, host, receipt });
}

/** Reports the end of a session; `error` is `null` after an orderly close. */
export function reportEnd(session: Session, logger: Logger, error: unknown): void {
  const fields = {
    session: session.id,
    user: session.user,
    requests: session.requests,
    seconds: (Date.now() - session.openedAt.getTime()) / 1000,
  };
  if (error === null) logger.info(fields, 'session closed');
  else if (E2eeftpError.is(error)) logger.info({ ...fields, code: error.code }, 'session ended');
  else logger.error({ ...fields, err: error }, 'session ended');
}
