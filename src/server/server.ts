/**
 * The server: one identity, one root, one list of clients, offered on one or more addresses.
 */
import { EventEmitter } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClassicServer } from '../classic/classic-server.js';
import { E2eeftpError } from '../errors.js';
import { CommandRegistry } from '../e2eeftp/command-registry.js';
import type { CommandDefinition, CommandReply } from '../e2eeftp/command-registry.js';
import { registerBuiltIns } from '../e2eeftp/commands/built-ins.js';
import { deleteCommand } from '../e2eeftp/commands/delete.js';
import { getCommand } from '../e2eeftp/commands/get.js';
import { hlistCommand } from '../e2eeftp/commands/hlist.js';
import { listCommand } from '../e2eeftp/commands/list.js';
import { sendCommand } from '../e2eeftp/commands/send.js';
import { statCommand } from '../e2eeftp/commands/stat.js';
import { encodeControl } from '../e2eeftp/control-codec.js';
import { NameReservations } from '../e2eeftp/name-reservation.js';
import type { RequestContext } from '../e2eeftp/request-context.js';
import { PROTOCOL_VERSION, SOFTWARE, STATUS_OK } from '../e2eeftp/status.js';
import { reason } from '../identity/atomic-file.js';
import { AuthorizedClients } from '../identity/authorized-clients.js';
import type { Identity } from '../identity/identity.js';
import { openServerData, serverDataPaths } from '../identity/server-data.js';
import { NativeListener, NativeStorage, native, nativeSync } from '../native.js';
import type { NativeIncoming } from '../native.js';
import { addressOf } from './address-of.js';
import { Admission, openGrant } from './admission.js';
import { listenClassic, sharedCommands } from './classic-host.js';
import { ConnectionRegistry } from './connection-registry.js';
import { EventHub } from './event-hub.js';
import type { ServerEvents } from './events.js';
import { refuseExposedPaths } from './exposed-paths.js';
import { resolveOptions } from './options.js';
import type { Endpoint, ResolvedOptions, ServerOptions } from './options.js';
import { Session } from './session.js';
import { reportAnswer, reportEnd } from './session-report.js';
import { runSession } from './session-loop.js';

/** Options of {@link Server.close}. */
export interface CloseOptions {
  /** How long running requests may take to finish, in milliseconds. @default 10_000 */
  readonly graceMs?: number;
}

/** What {@link Server.prepare} makes. */
interface Prepared {
  readonly identity: Identity;
  readonly root: NativeStorage;
  readonly admission: Admission;
  readonly clients: AuthorizedClients | null;
}

/** Pause after the listener failed, e.g. for want of file descriptors. */
const ACCEPT_RETRY_MS = 100;

/**
 * A server. To change a built-in command, register another one under its verb or override its method
 * (`handleSend`, `handleGet` …) in a subclass.
 */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ResolvedOptions;
  readonly #registry = new CommandRegistry();
  readonly #connections = new ConnectionRegistry();
  readonly #reservations = new NameReservations();
  readonly #events: EventHub;
  readonly #listeners: NativeListener[] = [];
  readonly #builtIns: ReturnType<typeof sharedCommands>;
  #classic: ClassicServer | null = null;
  #accepting: readonly Promise<void>[] = [];
  #prepared: Promise<Prepared> | null = null;
  #ready: Prepared | null = null;
  #listening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: ServerOptions = {}) {
    super();
    this.#options = resolveOptions(options);
    this.#events = new EventHub(this, this.#options.logger);
    registerBuiltIns(this.#registry, this);
    this.#builtIns = sharedCommands(this.#registry, this, Server.prototype);
  }

  /** The addresses that are listened on, with the ports that were picked. Empty before `listen()`. */
  get addresses(): readonly Required<Endpoint>[] {
    return this.#listeners.map(({ host, port }) => ({ host, port }));
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

  /** Not there yet: throws `E2EEFTP_UNSUPPORTED`. */
  before(operation: string, _hook: (...args: never[]) => unknown): this {
    throw hooksUnsupported('before', operation);
  }

  /** Not there yet: throws `E2EEFTP_UNSUPPORTED`. */
  after(operation: string, _hook: (...args: never[]) => unknown): this {
    throw hooksUnsupported('after', operation);
  }

  /**
   * Opens or makes the data directory, the identity and the root. `listen()` does it when it was not done before.
   *
   * @throws E2eeftpError `E2EEFTP_CONFIG` when the root holds the data directory, the server key or the list of clients;
   * `E2EEFTP_KEY_FILE`, `E2EEFTP_IO` and what the root's file system says.
   */
  async prepare(): Promise<this> {
    this.#prepared ??= this.#prepare().catch((error: unknown) => {
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
   * @throws E2eeftpError as {@link prepare}, and when an address can't be listened on; it may then be tried again.
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

  /** Reads the file of authorized keys again if it has changed; it is also looked at before each login. */
  async reload(): Promise<void> {
    await this.#require().clients?.refresh();
  }

  /**
   * Stops. No new connection is accepted, new requests are answered with 503, running ones may finish within `graceMs`;
   * what is left then is aborted and leaves nothing half-done. Any number of calls; a later one with a shorter grace
   * shortens it.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close();
    const cut = setTimeout(() => {
      this.#classic?.cut();
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

  /** Answers SEND. */
  handleSend(context: RequestContext): Promise<CommandReply> {
    return sendCommand(context, this.#options.durability);
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

  async #prepare(): Promise<Prepared> {
    const { dataDir, root, authorizedClients, readOnly, logger } = this.#options;
    let { identity } = this.#options;
    await refuseExposedPaths(root, [
      ...(identity === null ? [dataDir, serverDataPaths(dataDir).key] : []),
      ...(typeof authorizedClients === 'string' ? [authorizedClients] : []),
    ]);
    if (identity === null) {
      const data = await openServerData(dataDir);
      for (const message of data.warnings) this.#events.warning({ message });
      if (data.created) logger.info({ file: data.paths.key }, 'made a new server identity');
      identity = data.identity;
    }
    await mkdir(root, { recursive: true }).catch((error: unknown) => {
      throw new E2eeftpError('E2EEFTP_IO', `cannot create ${root}: ${reason(error)}`, { cause: error });
    });
    const storage = nativeSync(() => NativeStorage.open(root));
    const clients =
      typeof authorizedClients === 'string'
        ? new AuthorizedClients(authorizedClients, ({ line, message }) =>
            this.#events.warning({ message, file: authorizedClients, ...(line > 0 ? { line } : {}) }),
          )
        : null;
    await clients?.refresh();
    const judge = typeof authorizedClients === 'function' ? authorizedClients : (clients ?? (() => null));
    return { identity, root: storage, admission: new Admission(judge, readOnly), clients };
  }

  async #listen(): Promise<void> {
    await this.prepare();
    this.#events.start();
    const { identity, root } = this.#require();
    const { limits, listen, classic, logger } = this.#options;
    try {
      for (const endpoint of listen) {
        const host = await addressOf(endpoint.host);
        const { port } = endpoint;
        const listener = await identity.withKey((key) => NativeListener.bind(key, { ...limits, host, port }));
        this.#listeners.push(listener);
      }
      const endpoints = await Promise.all(
        classic.map(async ({ host, port }) => ({ host: await addressOf(host), port })),
      );
      const shared = { options: this.#options, events: this.#events, registry: this.#registry };
      this.#classic = await listenClassic({ ...this.#require(), ...shared, builtIns: this.#builtIns }, endpoints);
      if (this.#closing !== null) throw new E2eeftpError('E2EEFTP_CLOSED', 'the server was closed');
    } catch (error) {
      for (const listener of this.#listeners.splice(0)) listener.close();
      await this.#classic?.close();
      this.#classic = null;
      throw error;
    }
    this.#accepting = this.#listeners.map((listener) => this.#guard(this.#accept(listener)));
    logger.info({ addresses: this.addresses, fingerprint: this.fingerprint }, 'listening');
    // What uploads that were cut short by a crash left behind. It takes its time and nothing waits for it.
    native(() => root.sweep()).then(
      (report) => logger.debug(report, 'removed what broken uploads left behind'),
      (error: unknown) => this.#events.error(error, 'cannot remove what broken uploads left behind'),
    );
  }

  async #accept(listener: NativeListener): Promise<void> {
    for (;;) {
      try {
        const incoming = await native(() => listener.next());
        if (incoming === null || incoming === undefined) return;
        void this.#guard(this.#admit(incoming));
      } catch (error) {
        if (this.#closing !== null) return;
        this.#events.error(error, 'cannot accept a connection');
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  async #admit(incoming: NativeIncoming): Promise<void> {
    const { logger } = this.#options;
    const key = nativeSync(() => incoming.clientKey);
    const info = { host: incoming.peerHost, port: incoming.peerPort };
    const peer = { ...info, fingerprint: key.fingerprint, key: key.openssh };
    let session: Session;
    try {
      const grant = await this.#require().admission.judge(key, info);
      if (grant === null || this.#closing !== null) {
        logger.info(peer, 'refused a client');
        await native(() => incoming.refuse());
        return;
      }
      const opened = await openGrant(this.#require().root, grant);
      const ready = encodeControl({
        id: 0,
        status: STATUS_OK,
        text: 'ready',
        software: SOFTWARE,
        protocol: PROTOCOL_VERSION,
      });
      const channel = await native(() => incoming.accept(ready)).catch((error: unknown) => {
        logger.debug({ ...peer, err: error }, 'a client left during its login');
        return null;
      });
      if (channel === null) return;
      const parts = { channel, grant, peer, ...opened, reservations: this.#reservations };
      session = new Session(this.#connections.nextId(), parts);
    } catch (error) {
      this.#events.error(error, 'cannot decide about a client, which was refused', peer);
      await native(() => incoming.refuse()).catch((failure: unknown) => {
        logger.debug({ ...peer, err: failure }, 'a client left during its login');
      });
      return;
    }
    await this.#serve(session);
  }

  async #serve(session: Session): Promise<void> {
    const { logger, idleTimeoutMs } = this.#options;
    this.#connections.add(session);
    logger.info({ session: session.id, user: session.user, ...session.peer }, 'session opened');
    this.#events.emit('session', session);
    try {
      // The server began to close while this client logged in.
      if (this.#closing !== null) await session.end();
      await runSession(session, {
        registry: this.#registry,
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
    for (const listener of this.#listeners) listener.close();
    this.#ready?.root.stopSweep();
    await this.#listening?.catch(() => undefined);
    for (const listener of this.#listeners) listener.close();
    await Promise.all([this.#classic?.close(), this.#connections.endIdle()]);
    await this.#connections.whenEmpty();
    await Promise.all(this.#accepting);
    this.#options.logger.info({}, 'closed');
  }

  /** Nothing that a task throws is lost, and nothing ends the process. */
  #guard(task: Promise<void>): Promise<void> {
    return task.catch((error: unknown) => this.#events.error(error, 'a task of the server failed'));
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

function hooksUnsupported(name: string, operation: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_UNSUPPORTED', `server.${name}('${operation}', …) is not supported yet`);
}
