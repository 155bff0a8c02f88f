/**
 * An application's hooks around operations, in order of registration. Any protocol runs them: it describes the
 * operation, obeys the decision, and reports the result. It fails closed: a before hook that throws, hangs or returns
 * something strange denies.
 */
import { E2eeftpError } from '../errors.js';
import { canonicalPath } from '../storage/path-text.js';
import { TookTooLong, bounded } from './bounded.js';
import type { Operation, OperationResult } from './operation.js';
import { readVerdict } from './verdict.js';
import type { Rewritten, SuppliedReply, Verdict } from './verdict.js';

/** Decides about an operation before it runs; returning nothing allows it. */
export type BeforeHook = (operation: Operation) => HookResult | Promise<HookResult>;
/** What a before hook may return. */
export type HookResult = Verdict | undefined | void;
/** Hears of an operation when its end is decided, before the client does. */
export type AfterHook = (operation: Operation, result: OperationResult) => unknown;

/** What the before hooks have decided about an operation that is not denied. */
export interface Decision {
  /** With the paths that count now. */
  readonly operation: Operation;
  /** The answer in place of the handler's; `null` when the handler is to run. */
  readonly supplied: SuppliedReply | null;
}

/** Told of a hook that failed without anybody else hearing of it. */
export type OnHookFailure = (error: unknown, operation: Operation, when: 'before' | 'after') => void;

const nameShape = /^(?:\*|[A-Z][A-Z0-9_.-]{0,31})$/;

interface Registered<Hook> {
  /** Upper case, or `*`. */
  readonly name: string;
  readonly hook: Hook;
}

/** The hooks of one server. */
export class HookRegistry {
  readonly #before: Registered<BeforeHook>[] = [];
  readonly #after: Registered<AfterHook>[] = [];
  readonly #timeoutMs: number;
  readonly #onFailure: OnHookFailure;

  /** @param timeoutMs how long each hook may take. */
  constructor(timeoutMs: number, onFailure: OnHookFailure) {
    this.#timeoutMs = timeoutMs;
    this.#onFailure = onFailure;
  }

  /** Adds a before hook. @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a name that can't be a verb or `*`. */
  addBefore(name: string, hook: BeforeHook): void {
    this.#before.push({ name: hookName(name, hook), hook });
  }

  /** Adds an after hook; as {@link addBefore}. */
  addAfter(name: string, hook: AfterHook): void {
    this.#after.push({ name: hookName(name, hook), hook });
  }

  /** The names that hooks were added for: verbs in upper case, and `*`. */
  names(): string[] {
    return [...this.#before, ...this.#after].map(({ name }) => name);
  }

  /** Whether there is a hook for a verb in upper case. */
  has(verb: string): boolean {
    return [...this.#before, ...this.#after].some(({ name }) => concerns(name, verb));
  }

  /**
   * Asks the before hooks.
   *
   * @throws Denial when one denies; `E2EEFTP_HOOK_TIMEOUT` when one takes too long; `E2EEFTP_BAD_PATH` for a rewritten
   * path that is none; else what a hook threw, or a TypeError for what it returned. Each of them denies.
   */
  async before(given: Operation): Promise<Decision> {
    let operation = given;
    for (const { hook } of this.#before.filter(({ name }) => concerns(name, given.verb))) {
      const verdict = await this.#ask(hook, operation);
      if (verdict.kind === 'deny') throw verdict.denial;
      if (verdict.kind === 'supply') return { operation, supplied: verdict.reply };
      if (verdict.kind === 'rewrite') operation = moved(operation, verdict.to);
    }
    return { operation, supplied: null };
  }

  /** Tells the after hooks, one after the other. What they throw changes nothing and is reported. Never throws. */
  async after(operation: Operation, result: OperationResult): Promise<void> {
    for (const { hook } of this.#after.filter(({ name }) => concerns(name, operation.verb))) {
      try {
        // What has happened has happened: a session that is being cut does not keep the hook from hearing of it.
        await bounded((signal) => hook(Object.freeze({ ...operation, signal }), result), this.#timeoutMs);
      } catch (error) {
        this.#onFailure(error instanceof TookTooLong ? timedOut(error) : error, operation, 'after');
      }
    }
  }

  async #ask(hook: BeforeHook, operation: Operation): Promise<Verdict> {
    try {
      const ask = (signal: AbortSignal): ReturnType<BeforeHook> => hook(Object.freeze({ ...operation, signal }));
      return readVerdict(await bounded(ask, this.#timeoutMs, operation.signal));
    } catch (error) {
      if (!(error instanceof TookTooLong)) throw error;
      const failure = timedOut(error);
      this.#onFailure(failure, operation, 'before');
      throw failure;
    }
  }
}

function concerns(name: string, verb: string): boolean {
  return name === '*' || name === verb;
}

function moved(operation: Operation, { path, target }: Rewritten): Operation {
  for (const name of ['path', 'target'] as const) {
    if ({ path, target }[name] !== undefined && operation[name] === null) {
      throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${operation.verb} has no ${name} to rewrite`);
    }
  }
  return Object.freeze({
    ...operation,
    path: path === undefined ? operation.path : canonicalPath(path),
    target: target === undefined ? operation.target : canonicalPath(target),
  });
}

/** The name of a hook in upper case. @throws as {@link HookRegistry.addBefore}. */
export function hookName(name: unknown, hook: unknown): string {
  const upper = typeof name === 'string' ? name.toUpperCase() : '';
  if (!nameShape.test(upper)) throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a hook is for a verb, or for *');
  if (typeof hook !== 'function') throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a hook must be a function');
  return upper;
}

function timedOut(cause: TookTooLong): E2eeftpError {
  return new E2eeftpError('E2EEFTP_HOOK_TIMEOUT', 'A hook of the server took too long', { cause });
}
