/**
 * An application's hooks around one command of an old client. They see the same operation as for any other protocol;
 * of their decisions the old wire can't carry one: content of their own.
 */
import { E2eeftpError, codeForStatus, errorTable } from '../errors.js';
import type { HookRegistry } from '../hooks/hook-registry.js';
import type { Operation } from '../hooks/operation.js';
import { Denial } from '../hooks/verdict.js';
import type { SuppliedReply } from '../hooks/verdict.js';
import type { Peer } from '../identity/peer.js';
import { displayName } from '../storage/display-name.js';
import { isExpired } from '../storage/grant.js';
import { lost, misconfigured, refusal } from './classic-request.js';
import type { ClassicOutcome, ClassicPlan, ClassicRequest } from './classic-request.js';
import { fileDeleted } from './commands.js';

/** Longest text of a refusal, in UTF-16 units. */
const MAX_TEXT = 1000;
/** The arguments of each command, in the order of its fields. */
const argumentNames: Readonly<Record<string, readonly string[]>> = {
  SEND: ['name', 'size'],
  GET: ['name'],
  DELETE: ['name'],
};

/** A command of an old client, and who it is from. */
export interface AskedCommand {
  readonly verb: string;
  readonly fields: readonly string[];
  readonly peer: Peer;
}

/** What an outcome was decided on: set when a fault of the application or the server decided it. */
export interface HookedOutcome {
  readonly outcome: ClassicOutcome;
  readonly fault?: unknown;
}

/** Runs a plan between its hooks. The after hooks hear of the outcome before the client is told. Never throws. */
export async function runHooked(
  hooks: HookRegistry,
  plan: ClassicPlan,
  request: ClassicRequest,
  command: AskedCommand,
): Promise<HookedOutcome> {
  const { verb } = command;
  if (!hooks.has(verb)) return { outcome: await plan.run(plan.path) };
  const started = performance.now();
  let operation = describe(plan, request, command);
  let ended: HookedOutcome;
  try {
    const decision = await hooks.before(operation);
    ({ operation } = decision);
    // Hooks take their time: the connection may have been cut and the grant may have ended meanwhile.
    request.signal.throwIfAborted();
    if (isExpired(request.grant)) throw new E2eeftpError('E2EEFTP_EXPIRED', 'Not permitted');
    const { supplied } = decision;
    ended = { outcome: supplied === null ? await plan.run(operation.path) : answerSupplied(verb, supplied) };
  } catch (error) {
    // Nobody is left to be told when the connection was cut.
    ended = request.signal.aborted ? { outcome: lost(error) } : refusalOf(error);
  }
  await hooks.after(operation, resultOf(ended.outcome, operation, (performance.now() - started) / 1000));
  return ended;
}

function describe(plan: ClassicPlan, request: ClassicRequest, { verb, fields, peer }: AskedCommand): Operation {
  const { grant, signal } = request;
  const { path, size } = plan;
  const user = grant.user ?? peer.fingerprint;
  const args = Object.create(null) as Record<string, unknown>;
  for (const [at, name] of (argumentNames[verb] ?? []).entries()) args[name] = fields[at];
  Object.freeze(args);
  return Object.freeze({
    verb,
    path,
    target: null,
    requestedPath: path,
    user,
    grant,
    peer,
    size,
    mode: null,
    args,
    signal,
  });
}

/** A refusal can be told, and so can a deletion that the hook has done itself; content of a hook can't. */
function answerSupplied(verb: string, { status = 200, text = 'Not permitted' }: SuppliedReply): ClassicOutcome {
  if (status >= 400) return refusal({ status, text: wireText(text) });
  if (verb === 'DELETE') return fileDeleted();
  throw new TypeError(`what a hook supplies for ${verb} can't be sent to a client of the original e2eeftp`);
}

/** What the client is told when hooks denied or failed. */
function refusalOf(error: unknown): HookedOutcome {
  if (error instanceof Denial) {
    const { status, code, message } = error;
    const failure = new E2eeftpError(code, message, { status, cause: error });
    return { outcome: refusal({ status, text: wireText(message) }, failure) };
  }
  const failure = E2eeftpError.is(error) ? error : null;
  const status = failure === null ? null : errorTable[failure.code].status;
  if (failure !== null && status !== null && status !== 500) {
    return { outcome: refusal({ status, text: wireText(failure.message) }, failure) };
  }
  const wrapped = failure ?? new E2eeftpError('E2EEFTP_SERVER_ERROR', 'a hook failed', { cause: error });
  return { outcome: refusal(misconfigured, wrapped), fault: error };
}

function resultOf(
  outcome: ClassicOutcome,
  operation: Operation,
  seconds: number,
): Parameters<HookRegistry['after']>[1] {
  const { status, file, error } = outcome;
  const failure = status === null || status >= 400 ? asError(error, status) : null;
  return Object.freeze({
    status,
    bytes: file?.result.bytes ?? 0,
    root: file?.result.root.toString('hex') ?? null,
    path: file?.path ?? operation.path,
    seconds,
    ...(E2eeftpError.is(failure) ? { code: failure.code } : {}),
    ...(failure === null ? {} : { error: failure }),
  });
}

function asError(error: unknown, status: number | null): Error {
  if (error instanceof Error) return error;
  return new E2eeftpError(codeForStatus(status ?? 500), 'the command was not carried out', { cause: error });
}

/** A text for one line. */
function wireText(text: string): string {
  // The cut may go through a character.
  return displayName(text)
    .slice(0, MAX_TEXT)
    .replace(/[\ud800-\udbff]$/, '');
}
