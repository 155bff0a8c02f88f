/**
 * The server: one identity, one root, one list of clients, offered on one or more addresses.
 */
import type { ClassicServer } from '../classic/classic-server.js';
import { E2eeftpError } from '../errors.js';
import { CommandRegistry } from '../e2eeftp/command-registry.js';
import type { CommandDefinition, CommandReply } from '../e2eeftp/command-registry.js';
import { registerBuiltIns } from '../e2eeftp/commands/built-ins.js';
import { deleteCommand } from '../e2eeftp/commands/delete.js';
import { getCommand } from '../e2eeftp/commands/get.js';
import { hlistCommand } from '../e2eeftp/commands/hlist.js';
import { listCommand } from '../e2eeftp/commands/list.js';
import { receiptCommand } from '../e2eeftp/commands/receipt.js';
import { pullCommand, pushCommand } from '../e2eeftp/commands/tree.js';
import type { TreePolicy } from '../e2eeftp/commands/tree.js';
import { sendCommand } from '../e2eeftp/commands/send.js';
import type { Durability } from '../e2eeftp/commands/send.js';
import { statCommand } from '../e2eeftp/commands/stat.js';
import { NameReservations } from '../e2eeftp/name-reservation.js';
import { RunningUploads } from '../e2eeftp/running-uploads.js';
import type { RequestContext } from '../e2eeftp/request-context.js';
import { HookRegistry, hookName } from '../hooks/hook-registry.js';
import type { AfterHook, BeforeHook } from '../hooks/hook-registry.js';
import type { AuthorizedClients } from '../identity/authorized-clients.js';
import type { Identity } from '../identity/identity.js';
import { native } from '../native.js';
import type { NativeIncoming } from '../native.js';
import { listenClassic, sharedCommands } from './classic-host.js';
import { ConnectionRegistry } from './connection-registry.js';
import { EventHub } from './event-hub.js';
import { Listeners } from './listeners.js';
import { logIn } from './login.js';
import { resolveOptions } from './options.js';
import type { Endpoint, ResolvedOptions, ServerOptions } from './options.js';
import { prepareServer } from './prepare.js';
import type { Prepared } from './prepare.js';
import { Revocation } from './revocation.js';
import type { Revocable } from './revocation.js';
import type { Session } from './session.js';
import { reportAnswer, reportEnd, reportReceipt } from './session-report.js';
import { runSession } from './session-loop.js';
import { StorageCommands } from './storage-commands.js';

/** Options of {@link Server.close}. */
export interface CloseOptions {
  /** How long running requests may take to finish, in milliseconds. @default 10_000 */
  readonly graceMs?: number;
}

/**
 * A server. To change a built-in command, register another one under its verb or override its method
 * (`handleSend`, `handleGet` …) in a subclass.
 */
export class Server extends StorageCommands {
  readonly #options: ResolvedOptions;
  readonly #registry = new CommandRegistry();
  readonly #connections = new ConnectionRegistry();
  readonly #reservations = new NameReservations();
  readonly #uploads = new RunningUploads();
  readonly #events: EventHub;
  readonly #hooks: HookRegistry;
  readonly #listeners = new Listeners();
  readonly #builtIns: ReturnType<typeof sharedCommands>;
  #classic: ClassicServer | null = null;
  #accepting: Promise<void> = Promise.resolve();
  /** Carries changes of the file of keys to the open sessions; `null` when a function decides. */
  #revocation: Revocation | null = null;
  #prepared: Promise<Prepared> | null = null;
  #ready: Prepared | null = null;
  #listening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: ServerOptions = {}) {
    super();
    this.#options = resolveOptions(options);
    this.#events = new EventHub(this, this.#options.logger);
    this.#hooks = new HookRegistry(this.#options.hookTimeoutMs, (error, { verb, user }, when) =>
      this.#events.error(error, `a hook failed ${when} an operation`, { verb, user }),
    );
    registerBuiltIns(this.#registry, this);
    this.#builtIns = sharedCommands(this.#registry, this, Server.prototype);
  }

  /** The addresses that are listened on, with the ports that were picked. Empty before `listen()`. */
  get addresses(): readonly Required<Endpoint>[] {
    return this.#listeners.addresses;
  }

  /** The addresses at which old clients are served. */
  get classicAddresses(): readonly Required<Endpoint>[] {
    return this.#classic?.addresses ?? [];
  }

  /** Fingerprint of the server's key, `SHA256:…`: what a client is told to expect. */
  get fingerprint(): string {
    return this.#require().identity.publicKey.fingerprint;
  }

  /** The server's identity. */
  get identity(): Identity {
    return this.#require().identity;
  }

  /** Directory that clients see as `/`. */
  get root(): string {
    return this.#options.root;
  }

  /** The file of authorized keys; `null` when a function decides. */
  get authorizedClients(): AuthorizedClients | null {
    return this.#require().clients;
  }

  /** The sessions that are open now. */
  get sessions(): readonly Session[] {
    return this.#connections.list();
  }

  /** Adds a command, or replaces the one of that name; counts from the next request on. */
  command(verb: string, definition: CommandDefinition): this {
    this.#registry.set(verb, definition);
    return this;
  }

  /**
   * Adds a hook that decides about an operation before it runs: see `docs/EXTENDING.md`. Hooks run in the order in
   * which they were added; one that throws or takes longer than `hookTimeoutMs` denies.
   *
   * @param operation a verb in any case, or `'*'` for all.
   * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for something else, and while listening for a verb that is not there.
   */
  before(operation: string, hook: BeforeHook): this {
    const name = hookName(operation, hook);
    if (this.#listening !== null) this.#checkHooks([name]);
    this.#hooks.addBefore(name, hook);
    return this;
  }

  /**
   * Adds a hook that hears how an operation ended, whatever the end, before the client does. It can't change it: what
   * it throws is logged and emitted as `error`. As {@link before} otherwise.
   */
  after(operation: string, hook: AfterHook): this {
    const name = hookName(operation, hook);
    if (this.#listening !== null) this.#checkHooks([name]);
    this.#hooks.addAfter(name, hook);
    return this;
  }

  /**
   * Opens or makes the data directory, the identity and the root. `listen()` does it when it was not done before.
   *
   * @throws E2eeftpError `E2EEFTP_CONFIG` when the root holds the data directory, the server key or the list of clients;
   * `E2EEFTP_KEY_FILE`, `E2EEFTP_IO` and what the root's file system says.
   */
  async prepare(): Promise<this> {
    this.#prepared ??= prepareServer(this.#options, this.#events).catch((error: unknown) => {
      this.#prepared = null;
      throw error;
    });
    this.#ready = await this.#prepared;
    return this;
  }

  /**
   * Starts to listen on every address of the options; all or none.
   *
   * Emits the warnings that came up before.
   *
   * @throws E2eeftpError as {@link prepare}, `E2EEFTP_INVALID_ARGUMENT` when a hook is for a verb that is not there, and
   * when an address can't be listened on; it may then be tried again.
   */
  async listen(): Promise<this> {
    if (this.#closing !== null) throw new E2eeftpError('E2EEFTP_CLOSED', 'the server was closed');
    this.#listening ??= this.#listen().catch((error: unknown) => {
      this.#listening = null;
      throw error;
    });
    await this.#listening;
    return this;
  }

  /**
   * Reads the file of authorized keys again if it has changed. It is also looked at before each login and every two
   * seconds; what it says now counts at once for the sessions that are open: see `docs/CLI.md`.
   *
   * @throws E2eeftpError `E2EEFTP_IO` when it can't be read; nobody is let in then, and open sessions go on.
   */
  async reload(): Promise<void> {
    if (this.#revocation === null) await this.#require().clients?.refresh();
    else await this.#revocation.reload();
  }

  /**
   * Stops. No new connection is accepted, new requests are answered with 503, running ones may finish within `graceMs`;
   * what is left then is aborted and leaves nothing half-done. Any number of calls; a later one with a shorter grace
   * shortens it.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close();
    const cut = setTimeout(() => {
      void this.#classic?.cut();
      void this.#connections.cut();
    }, options.graceMs ?? 10_000);
    try {
      await this.#closing;
    } finally {
      clearTimeout(cut);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected override get durability(): Durability {
    return this.#options.durability;
  }

  /** Answers SEND. */
  handleSend(context: RequestContext): Promise<CommandReply> {
    return sendCommand(context, this.#options);
  }

  /** Answers GET. */
  handleGet(context: RequestContext): Promise<CommandReply> {
    return getCommand(context);
  }

  /** Answers LIST. */
  handleList(context: RequestContext): Promise<CommandReply> {
    return listCommand(context);
  }

  /** Answers DELETE. */
  handleDelete(context: RequestContext): Promise<CommandReply> {
    return deleteCommand(context);
  }

  /** Answers HLIST. */
  handleHlist(context: RequestContext): Promise<CommandReply> {
    return Promise.resolve(hlistCommand(context, this.#registry));
  }

  /** Answers STAT. */
  handleStat(context: RequestContext): Promise<CommandReply> {
    return statCommand(context);
  }

  /** Answers RECEIPT. */
  handleReceipt(context: RequestContext): Promise<CommandReply> {
    const { logger } = this.#options;
    return receiptCommand(context, this.identity, (receipt) => reportReceipt(context, receipt, logger, this.#events));
  }

  /** Answers PUSH. */
  handlePush(context: RequestContext): Promise<CommandReply> {
    return pushCommand(context, this.#treePolicy('SEND', ['SEND', 'MKDIR', 'DELETE']));
  }

  /** Answers PULL. */
  handlePull(context: RequestContext): Promise<CommandReply> {
    return pullCommand(context, this.#treePolicy('GET', ['GET', 'LIST']));
  }

  /** A tree goes past the commands for single names: not where somebody has put something around those. */
  #treePolicy(verb: 'SEND' | 'GET', around: readonly string[]): TreePolicy {
    const command = this.#builtIns.get(verb);
    const isOwn = command !== undefined && command === this.#registry.get(verb);
    const isHeard = this.listenerCount('transfer') > 0 || around.some((name) => this.#hooks.has(name));
    return { durability: this.#options.durability, takesTrees: isOwn && !isHeard };
  }

  async #listen(): Promise<void> {
    await this.prepare();
    this.#events.start();
    const prepared = this.#require();
    const { identity, rotation, root, admission, clients } = prepared;
    const { limits, listen, logger } = this.#options;
    this.#checkHooks(this.#hooks.names());
    await this.#listeners.bind({ identity, rotation }, listen, limits);
    await this.#listenClassic(prepared);
    if (clients !== null) {
      const sessions = (): readonly Revocable[] => [...this.sessions, ...(this.#classic?.connections ?? [])];
      this.#revocation = new Revocation({ clients, admission, sessions, events: this.#events, logger });
      this.#revocation.start();
    }
    const accepting = this.#listeners.accept({
      onIncoming: (incoming) => void this.#guard(this.#admit(incoming)),
      onError: (error) => this.#events.error(error, 'cannot accept a connection'),
    });
    this.#accepting = this.#guard(accepting);
    logger.info({ addresses: this.addresses, fingerprint: this.fingerprint }, 'listening');
    // What uploads that were cut short by a crash left behind. It takes its time and nothing waits for it.
    native(() => root.sweep()).then(
      (report) => logger.debug(report, 'removed what broken uploads left behind'),
      (error: unknown) => this.#events.error(error, 'cannot remove what broken uploads left behind'),
    );
  }

  /** After the own listeners, whose limits old clients share. When it fails, nothing is listened on. */
  async #listenClassic(prepared: Prepared): Promise<void> {
    const beside = this.#listeners.first;
    if (beside === null) return;
    try {
      this.#classic = await listenClassic({
        options: this.#options,
        events: this.#events,
        prepared,
        hooks: this.#hooks,
        beside,
        nextId: () => this.#connections.nextId(),
        check: (connection) => this.#revocation?.check(connection),
        registry: this.#registry,
        builtIns: this.#builtIns,
      });
    } catch (error) {
      this.#listeners.release();
      throw error;
    }
  }

  async #admit(incoming: NativeIncoming): Promise<void> {
    const { admission, root } = this.#require();
    const session = await logIn(incoming, {
      admission,
      root,
      reservations: this.#reservations,
      uploads: this.#uploads,
      events: this.#events,
      logger: this.#options.logger,
      isClosing: () => this.#closing !== null,
      nextId: () => this.#connections.nextId(),
    });
    if (session !== null) await this.#serve(session);
  }

  async #serve(session: Session): Promise<void> {
    const { logger, idleTimeoutMs } = this.#options;
    this.#connections.add(session);
    logger.info({ session: session.id, user: session.user, ...session.peer }, 'session opened');
    this.#events.emit('session', session);
    try {
      // The server began to close, or the list of clients changed, while this client logged in.
      if (this.#closing !== null) await session.end();
      this.#revocation?.check(session);
      await runSession(session, {
        registry: this.#registry,
        hooks: this.#hooks,
        idleTimeoutMs,
        isClosing: () => this.#closing !== null,
        onAnswered: (...answer) => reportAnswer(session, logger, this.#events, ...answer),
      });
      reportEnd(session, logger, null);
    } catch (error) {
      reportEnd(session, logger, error);
      if (!E2eeftpError.is(error)) this.#events.error(error, 'a session failed', { session: session.id });
      session.destroy();
    } finally {
      session.over();
    }
  }

  async #close(): Promise<void> {
    this.#listeners.close();
    this.#ready?.root.stopSweep();
    await this.#listening?.catch(() => undefined);
    this.#listeners.close();
    this.#revocation?.stop();
    await Promise.all([this.#classic?.close(), this.#connections.endIdle()]);
    await this.#connections.whenEmpty();
    await this.#accepting;
    this.#options.logger.info({}, 'closed');
  }

  /** Nothing that a task throws is lost, and nothing ends the process. */
  #guard(task: Promise<void>): Promise<void> {
    return task.catch((error: unknown) => this.#events.error(error, 'a task of the server failed'));
  }

  /** A hook for a verb that is misspelt would never run. */
  #checkHooks(operations: readonly string[]): void {
    const missing = operations.find((name) => name !== '*' && this.#registry.get(name) === undefined);
    if (missing === undefined) return;
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `a hook is for ${missing}, which is no command`);
  }

  #require(): Prepared {
    if (this.#ready !== null) return this.#ready;
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'the server is not prepared: call prepare() or listen() first');
  }
}

/** A server that is prepared: its fingerprint is known, and `listen()` starts it. */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  return new Server(options).prepare();
}
