/**
 * Serves old clients: one connection, one command. Everything that is decided here is decided before the client is let
 * in, or in `commands.ts`; who may do what comes from the server that this is a part of.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { HookRegistry } from '../hooks/hook-registry.js';
import type { Identity } from '../identity/identity.js';
import type { Peer } from '../identity/peer.js';
import type { PublicKey } from '../identity/public-key.js';
import { NativeClassicListener, native, nativeSync } from '../native.js';
import type { NativeClassicIncoming, NativeListener, NativeView } from '../native.js';
import { displayName } from '../storage/display-name.js';
import type { Grant } from '../storage/grant.js';
import { ClassicConnection } from './classic-connection.js';
import {
  answer,
  invalidCommand,
  isConnectionLost,
  malformedRequest,
  misconfigured,
  refusal,
} from './classic-request.js';
import type { ClassicDurability } from './classic-request.js';
import { classicCommands } from './commands.js';
import { readCommand } from './command-line.js';
import type { ClassicCommand } from './command-line.js';
import { runHooked } from './hooked-command.js';
import type { HookedOutcome } from './hooked-command.js';
import { SeenEphemerals } from './seen-ephemerals.js';

/** Pause after the listener failed, e.g. for want of file descriptors. */
const ACCEPT_RETRY_MS = 100;
/** How long a client may take for its command. */
const COMMAND_TIMEOUT_MS = 10_000;

/** What is told about a file that was moved in full. */
export interface ClassicTransfer {
  readonly verb: string;
  readonly user: string;
  readonly fingerprint: string;
  readonly host: string;
  readonly path: string;
  readonly bytes: number;
  readonly root: string;
  readonly seconds: number;
}

/** Why a client with a key of its own was not let in. */
export type ClassicRefusalReason = 'unknown-key' | 'expired' | 'address' | 'closing' | 'left' | 'replay' | 'error';

/** The server that this is a part of. */
export interface ClassicHost {
  readonly identity: Identity;
  /** Where the seen ephemeral keys are kept. */
  readonly dataDir: string;
  readonly durability: ClassicDurability;
  readonly isDeleteAllowed: boolean;
  readonly hooks: HookRegistry;
  /** What a key may do, or why nothing. */
  judge(key: PublicKey, peer: Peer): Promise<{ readonly grant: Grant } | { readonly refusal: ClassicRefusalReason }>;
  /** What a grant opens. */
  open(grant: Grant): Promise<NativeView>;
  /** Number for a new connection. */
  nextId(): number;
  /** Hears of a connection before its command is read. */
  opened(connection: ClassicConnection): void;
  /**
   * How the server knows a verb: as the command that every server has, `replaced` by something that this protocol can't
   * run, or not at all.
   */
  knows(verb: string): 'built-in' | 'replaced' | 'unknown';
  log(level: 'debug' | 'info' | 'warn', fields: object, text: string): void;
  failed(error: unknown, text: string, fields: object): void;
  /** What became of a client with a key of its own; `reason` is `null` when it was let in. */
  loggedIn(peer: Peer, user: string | null, reason: ClassicRefusalReason | null): void;
  transferred(transfer: ClassicTransfer): void;
}

/** The listeners for old clients and their connections. */
export class ClassicServer {
  readonly #host: ClassicHost;
  readonly #seen: SeenEphemerals;
  readonly #listeners: NativeClassicListener[] = [];
  readonly #open = new Set<ClassicConnection>();
  readonly #tasks = new Set<Promise<void>>();
  #isClosing = false;

  private constructor(host: ClassicHost, seen: SeenEphemerals) {
    this.#host = host;
    this.#seen = seen;
  }

  /**
   * Starts to listen on all of `endpoints` or none.
   *
   * @param beside a listener of the server, whose limits count over these addresses, too.
   * @throws E2eeftpError when the memory of ephemeral keys can't be used, or an address can't be listened on.
   */
  static async listen(
    host: ClassicHost,
    beside: NativeListener,
    endpoints: readonly { host: string; port: number }[],
  ): Promise<ClassicServer> {
    // The memory belongs to the key: a server with another key has seen nothing.
    const id = host.identity.publicKey.raw.subarray(0, 8).toString('hex');
    const server = new ClassicServer(host, await SeenEphemerals.open(join(host.dataDir, `classic_seen_${id}`)));
    try {
      for (const endpoint of endpoints) {
        server.#listeners.push(
          await native(() => NativeClassicListener.bindBeside(beside, endpoint.host, endpoint.port)),
        );
      }
    } catch (error) {
      await server.close();
      throw error;
    }
    for (const listener of server.#listeners) server.#run(server.#accept(listener));
    return server;
  }

  /** The addresses that are listened on, with the ports that were picked. */
  get addresses(): readonly { host: string; port: number }[] {
    return this.#listeners.map(({ host, port }) => ({ host, port }));
  }

  /** The connections that were let in and are not over. */
  get connections(): readonly ClassicConnection[] {
    return [...this.#open];
  }

  /** Accepts no one any more and waits until the commands that run are answered. Any number of calls. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const listener of this.#listeners) listener.close();
    for (const each of this.#open) await each.close();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    await this.#seen.close();
  }

  /** Ends what still runs; a file that is on its way leaves nothing behind. */
  async cut(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.cut()));
  }

  #run(task: Promise<void>): void {
    const guarded = task
      .catch((error: unknown) => this.#host.failed(error, 'a classic connection failed', {}))
      .finally(() => this.#tasks.delete(guarded));
    this.#tasks.add(guarded);
  }

  async #accept(listener: NativeClassicListener): Promise<void> {
    for (;;) {
      try {
        const incoming = await native(() => listener.next());
        if (incoming === null || incoming === undefined) return;
        this.#run(this.#admit(incoming));
      } catch (error) {
        if (this.#isClosing) return;
        this.#host.failed(error, 'cannot accept a classic connection', {});
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  async #admit(incoming: NativeClassicIncoming): Promise<void> {
    const host = this.#host;
    const key = nativeSync(() => incoming.clientKey);
    const peer: Peer = {
      host: incoming.peerHost,
      port: incoming.peerPort,
      fingerprint: key.fingerprint,
      key: key.openssh,
    };
    let opened: { connection: ClassicConnection; view: NativeView } | null = null;
    try {
      opened = await this.#letIn(incoming, key, peer);
    } catch (error) {
      host.failed(error, 'cannot decide about a client, which was refused', { protocol: 'classic', ...peer });
      host.loggedIn(peer, null, 'error');
    } finally {
      incoming.refuse();
    }
    if (opened === null) return;
    const { connection, view } = opened;
    try {
      await this.#serve(connection, view);
    } catch (error) {
      const fields = { protocol: 'classic', session: connection.id, ...peer };
      if (isConnectionLost(error)) host.log('debug', { ...fields, err: error }, 'a client left');
      else host.failed(error, 'a classic connection failed', fields);
    } finally {
      this.#open.delete(connection);
      connection.end();
    }
  }

  /** Lets a client in, or says why not. The server's own hello comes after every reason to refuse. */
  async #letIn(
    incoming: NativeClassicIncoming,
    key: PublicKey,
    peer: Peer,
  ): Promise<{ connection: ClassicConnection; view: NativeView } | null> {
    const host = this.#host;
    const refused = (reason: ClassicRefusalReason, user: string | null = null, text = ''): null => {
      host.log(
        reason === 'replay' ? 'warn' : 'info',
        { protocol: 'classic', ...peer, reason },
        `refused a client${text}`,
      );
      host.loggedIn(peer, user, reason);
      return null;
    };
    const judged = await host.judge(key, peer);
    if ('refusal' in judged) return refused(judged.refusal);
    const { grant } = judged;
    const { user, from } = grant;
    if (this.#isClosing) return refused('closing', user);
    if (from !== null && !nativeSync(() => incoming.onlyFrom([...from]))) return refused('address', user);
    const verdict = await this.#seen.add(incoming.ephemeral);
    if (verdict === 'seen') return refused('replay', user, ': a replayed hello');
    if (verdict === 'full') return refused('replay', user, ': too many connections in a day to tell a replay');
    const view = await host.open(grant);
    let accepted;
    try {
      accepted = await host.identity.withKey((own) => incoming.accept(own));
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      return refused('left', user);
    }
    const connection = new ClassicConnection(host.nextId(), peer, grant, accepted);
    this.#open.add(connection);
    host.loggedIn(peer, user, null);
    return { connection, view };
  }

  async #serve(connection: ClassicConnection, view: NativeView): Promise<void> {
    // The list of clients may have changed while this one was let in.
    this.#host.opened(connection);
    const line = await native(() => connection.native.readLine(COMMAND_TIMEOUT_MS));
    // Nothing was asked, so there is nothing to answer.
    if (line.kind === 'end' || this.#isClosing) return;
    connection.begin();
    const started = performance.now();
    const command = line.kind === 'text' ? readCommand(line.text) : null;
    const ended = await this.#decide(connection, view, command);
    const seconds = (performance.now() - started) / 1000;
    try {
      if (ended.outcome.reply !== null) await answer(connection.native, ended.outcome.reply);
    } finally {
      this.#report(connection, command?.verb ?? null, ended, seconds);
    }
  }

  async #decide(
    connection: ClassicConnection,
    view: NativeView,
    command: ClassicCommand | null,
  ): Promise<HookedOutcome> {
    if (command === null) return { outcome: refusal(malformedRequest) };
    const { verb, fields } = command;
    const known = this.#host.knows(verb);
    // What the application has put in a command's place may be a restriction: the old one is not run behind its back.
    if (known === 'replaced') return { outcome: refusal(misconfigured) };
    const handler = known === 'built-in' ? classicCommands.get(verb) : undefined;
    if (handler === undefined) return { outcome: refusal(invalidCommand) };
    const { durability, isDeleteAllowed, hooks } = this.#host;
    const { native: socket, grant, signal, peer } = connection;
    const request = { connection: socket, grant, view, signal, durability, isDeleteAllowed };
    const plan = handler(request, fields);
    return 'run' in plan ? runHooked(hooks, plan, request, { verb, fields, peer }) : { outcome: plan };
  }

  #report(connection: ClassicConnection, verb: string | null, ended: HookedOutcome, seconds: number): void {
    const host = this.#host;
    const { outcome, fault } = ended;
    const { id, user, peer } = connection;
    const shown = verb === null ? null : displayName(verb).slice(0, 64);
    const fields = { protocol: 'classic', session: id, user, ...peer, verb: shown, status: outcome.status, seconds };
    const error: unknown = outcome.error;
    if (fault !== undefined) host.failed(fault, 'a request failed', fields);
    else if (outcome.file !== undefined) {
      const { path, result } = outcome.file;
      const file = { path, bytes: result.bytes, root: result.root.toString('hex') };
      host.log('info', { ...fields, ...file, path: displayName(path) }, 'transfer complete');
      const { host: from, fingerprint } = peer;
      host.transferred({ verb: outcome.file.verb, user, fingerprint, host: from, seconds, ...file });
    } else if (error !== undefined) host.log('info', { ...fields, err: error }, 'request failed');
    else host.log('info', fields, 'request answered');
  }
}
