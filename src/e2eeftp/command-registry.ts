/**
 * The commands that a server offers: a map from verb to what runs it. Open: an application adds its own and replaces
 * the built-in ones at any time, and `HLIST` shows the result.
 */
import { E2eeftpError } from '../errors.js';
import type { ControlValue } from './control-value.js';
import type { RequestContext } from './request-context.js';
import type { Requirement } from './requirement.js';

/** What a body may be made of. Text is sent as UTF-8. */
export type BodySource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** What a handler answers. Members beside these travel to the client as they are. */
export interface CommandReply {
  /** 200 to 599. @default 200 */
  readonly status?: number;
  /** Short text for people. @default 'OK' */
  readonly text?: string;
  /** Sent after the members and before the final status; the client reads it as a stream. */
  readonly body?: BodySource | undefined;
  readonly [member: string]: ControlValue | BodySource | undefined;
}

/** Runs one request. It may throw: an `E2eeftpError` with a wire status answers with that, anything else with a 500. */
export type CommandHandler = (context: RequestContext) => HandlerResult | Promise<HandlerResult>;

/** What a handler gives back; nothing means `{status: 200, text: 'OK'}`. */
export type HandlerResult = CommandReply | undefined | void;

/** One command. */
export interface CommandDefinition {
  /** One line for `HLIST`, at most 120 characters. */
  readonly summary: string;
  /** What the client's grant must allow; a client without it gets 403 and does not see the command. @default null */
  readonly permission?: Requirement | null;
  /** A command without a handler answers 501. */
  readonly handler?: CommandHandler;
}

const verbShape = /^[A-Z][A-Z0-9_.-]{0,31}$/;
const MAX_SUMMARY = 120;
const MAX_COMMANDS = 256;

/** Verbs and their definitions. Verbs are not case-sensitive. */
export class CommandRegistry {
  readonly #commands = new Map<string, CommandDefinition>();

  /**
   * Adds a command, or replaces the one of that name.
   *
   * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a verb that is not a letter followed by up to 31 of
   * `A-Z 0-9 _ . -`, or a summary that is empty, long or has control characters.
   */
  set(verb: string, definition: CommandDefinition): void {
    const name = verb.toUpperCase();
    if (!verbShape.test(name)) throw invalid(`"${verb.slice(0, 40)}" is not a verb`);
    const { summary, handler } = definition;
    if (typeof summary !== 'string' || summary.length > MAX_SUMMARY || !/^\P{C}+$/u.test(summary)) {
      throw invalid(`the summary of ${name} must be one line of 1 to ${MAX_SUMMARY} characters`);
    }
    if (handler !== undefined && typeof handler !== 'function')
      throw invalid(`the handler of ${name} must be a function`);
    if (!this.#commands.has(name) && this.#commands.size >= MAX_COMMANDS)
      throw invalid(`more than ${MAX_COMMANDS} commands`);
    this.#commands.set(name, { ...definition });
  }

  /** Takes a command away; false when there was none. */
  delete(verb: string): boolean {
    return this.#commands.delete(verb.toUpperCase());
  }

  /** The definition of a verb. */
  get(verb: string): CommandDefinition | undefined {
    return this.#commands.get(verb.toUpperCase());
  }

  /** Verbs and definitions in the order in which they were first added. */
  entries(): IterableIterator<[string, CommandDefinition]> {
    return this.#commands.entries();
  }
}

function invalid(text: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', text);
}
