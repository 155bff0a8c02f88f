/**
 * The hooks around one request: describes it as an operation, hands the decision back, and reports the result.
 */
import { E2eeftpError } from '../errors.js';
import type { HookRegistry } from '../hooks/hook-registry.js';
import type { Operation } from '../hooks/operation.js';
import type { SuppliedReply } from '../hooks/verdict.js';
import { canonicalPath, pathFromBytes, pathToBytes } from '../storage/path-text.js';
import type { ControlMap } from './control-value.js';
import type { Exchange } from './exchange.js';
import type { Request } from './request.js';

/** Members that name what a request is about, and where it is put; of custom commands when they are byte strings. */
interface PathMembers {
  readonly path: string;
  readonly target: string;
}

const usual: PathMembers = { path: 'path', target: 'target' };
const pathMembers: ReadonlyMap<string, PathMembers> = new Map([
  ['MOVE', { path: 'from', target: 'to' }],
  ['COPY', { path: 'from', target: 'to' }],
]);

/** What the before hooks have made of a request. */
export interface Hooked {
  /** The arguments for the handler: the paths are the ones that the hooks have seen. */
  readonly args: ControlMap;
  /** The answer in place of the handler's; `null` when the handler is to run. */
  readonly supplied: SuppliedReply | null;
}

/** How a request ended, for the after hooks. */
export interface Ending {
  readonly status: number | null;
  readonly error: Error | null;
}

/** One request for whose verb there are hooks. */
export class HookedRequest {
  readonly #hooks: HookRegistry;
  readonly #exchange: Exchange;
  readonly #members: PathMembers;
  readonly #args: ControlMap;
  readonly #started: number = performance.now();
  #operation: Operation;

  private constructor(hooks: HookRegistry, request: Request, exchange: Exchange) {
    this.#hooks = hooks;
    this.#exchange = exchange;
    this.#args = request.args;
    this.#members = pathMembers.get(request.verb) ?? usual;
    const { grant, peer, signal } = exchange.session;
    const path = readPath(request.args[this.#members.path]);
    this.#operation = Object.freeze({
      verb: request.verb,
      path,
      target: readPath(request.args[this.#members.target]),
      requestedPath: path,
      user: grant.user ?? peer.fingerprint,
      grant,
      peer,
      size: request.verb === 'SEND' ? readCount(request.args['size']) : null,
      mode: request.verb === 'SEND' ? readCount(request.args['mode']) : null,
      args: Object.freeze(copyOf(request.args)),
      signal,
    });
  }

  /**
   * Describes a request; `null` when no hook is for it.
   *
   * @throws E2eeftpError `E2EEFTP_BAD_PATH` when its path is none: what no hook can judge is not to run.
   */
  static of(hooks: HookRegistry, request: Request, exchange: Exchange): HookedRequest | null {
    return hooks.has(request.verb) ? new HookedRequest(hooks, request, exchange) : null;
  }

  /** Asks the before hooks, and keeps the client waiting meanwhile. @throws as {@link HookRegistry.before}. */
  async before(): Promise<Hooked> {
    const { operation, supplied } = await this.#exchange.patiently(() => this.#hooks.before(this.#operation));
    this.#operation = operation;
    const args = copyOf(this.#args);
    if (operation.path !== null) args[this.#members.path] = pathToBytes(operation.path);
    if (operation.target !== null) args[this.#members.target] = pathToBytes(operation.target);
    return { args, supplied };
  }

  /** Tells the after hooks, and keeps the client waiting meanwhile. Never throws. */
  async after({ status, error }: Ending): Promise<void> {
    const { completed } = this.#exchange;
    const result = Object.freeze({
      status,
      bytes: completed?.bytes ?? 0,
      root: completed?.root ?? null,
      path: completed?.path ?? this.#operation.path,
      seconds: (performance.now() - this.#started) / 1000,
      ...(E2eeftpError.is(error) ? { code: error.code } : {}),
      ...(error === null ? {} : { error }),
    });
    await this.#exchange.patiently(() => this.#hooks.after(this.#operation, result));
  }
}

/**
 * A byte string is a path, in its one form; anything else is none, and left to the handler to judge. Not so a text: a
 * handler that takes it for a path would do so behind the back of the hooks.
 */
function readPath(value: unknown): string | null {
  if (typeof value === 'string') throw new E2eeftpError('E2EEFTP_BAD_PATH', 'a path is sent as a byte string');
  return value instanceof Uint8Array ? canonicalPath(pathFromBytes(value)) : null;
}

function readCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function copyOf(args: ControlMap): Record<string, ControlMap[string]> {
  return Object.assign(Object.create(null) as Record<string, ControlMap[string]>, args);
}
