/**
 * Serves old clients: one connection, one command. Everything that is decided here is decided before the client is let
 * in, or in `commands.ts`; who may do what comes from the server that this is a part of.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Identity } from '../identity/identity.js';
import type { PublicKey } from '../identity/public-key.js';
import { NativeClassicListener, native, nativeSync } from '../native.js';
import type { NativeClassicConnection, NativeClassicIncoming, NativeListenOptions, NativeView } from '../native.js';
import { displayName } from '../storage/display-name.js';
import type { Grant } from '../storage/grant.js';
import { invalidCommand, isConnectionLost, malformedRequest, misconfigured } from './classic-request.js';
import type { ClassicDurability, ClassicOutcome, ClassicRequest } from './classic-request.js';
import { classicCommands, refuse } from './commands.js';
import { readCommand } from './command-line.js';
import { SeenEphemerals } from './seen-ephemerals.js';

/** Pause after the listener failed, e.g. for want of file descriptors. */
const ACCEPT_RETRY_MS = 100;
/** How long a client may take for its command. */
const COMMAND_TIMEOUT_MS = 10_000;

/** Where the client is, and which key it has shown. */
export interface ClassicPeer {
  readonly host: string;
  readonly port: number;
  readonly fingerprint: string;
}

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

/** The server that this is a part of. */
export interface ClassicHost {
  readonly identity: Identity;
  /** Where the seen ephemeral keys are kept. */
  readonly dataDir: string;
  readonly limits: Omit<NativeListenOptions, 'host' | 'port'>;
  readonly durability: ClassicDurability;
  readonly isDeleteAllowed: boolean;
  /** What a key may do; `null` refuses it. */
  admit(key: PublicKey, peer: ClassicPeer): Promise<{ grant: Grant; view: NativeView } | null>;
  /**
   * How the server knows a verb: as the command that every server has, `replaced` by something that this protocol can't
   * run, or not at all.
   */
  knows(verb: string): 'built-in' | 'replaced' | 'unknown';
  log(level: 'debug' | 'info' | 'warn', fields: object, text: string): void;
  failed(error: unknown, text: string, fields: object): void;
  transferred(transfer: ClassicTransfer): void;
}

/** A connection that was let in. */
interface OpenConnection {
  readonly connection: NativeClassicConnection;
  isBusy: boolean;
}

/** The listeners for old clients and their connections. */
export class ClassicServer {
  readonly #host: ClassicHost;
  readonly #seen: SeenEphemerals;
  readonly #listeners: NativeClassicListener[] = [];
  readonly #open = new Set<OpenConnection>();
  readonly #tasks = new Set<Promise<void>>();
  #isClosing = false;

  private constructor(host: ClassicHost, seen: SeenEphemerals) {
    this.#host = host;
    this.#seen = seen;
  }

  /**
   * Starts to listen on all of `endpoints` or none.
   *
   * @throws E2eeftpError when the memory of ephemeral keys can't be used, or an address can't be listened on.
   */
  static async listen(host: ClassicHost, endpoints: readonly { host: string; port: number }[]): Promise<ClassicServer> {
    // The memory belongs to the key: a server with another key has seen nothing.
    const id = host.identity.publicKey.raw.subarray(0, 8).toString('hex');
    const server = new ClassicServer(host, await SeenEphemerals.open(join(host.dataDir, `classic_seen_${id}`)));
    try {
      for (const endpoint of endpoints) {
        server.#listeners.push(await native(() => NativeClassicListener.bind({ ...host.limits, ...endpoint })));
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

  /** Accepts no one any more and waits until the commands that run are answered. Any number of calls. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const listener of this.#listeners) listener.close();
    for (const each of this.#open) if (!each.isBusy) each.connection.close();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    await this.#seen.close();
  }

  /** Ends what still runs; a file that is on its way leaves nothing behind. */
  cut(): void {
    for (const { connection } of this.#open) connection.close();
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
    const peer = { host: incoming.peerHost, port: incoming.peerPort, fingerprint: key.fingerprint };
    const fields = { protocol: 'classic', ...peer };
    try {
      const admitted = this.#isClosing ? null : await host.admit(key, peer);
      if (admitted === null) {
        host.log('info', fields, 'refused a client');
        return;
      }
      const verdict = await this.#seen.add(incoming.ephemeral);
      if (verdict !== 'new') {
        const text = verdict === 'seen' ? 'a replayed hello' : 'too many connections in a day to tell a replay';
        host.log('warn', fields, `refused a client: ${text}`);
        return;
      }
      const connection = await host.identity.withKey((own) => incoming.accept(own));
      await this.#serve(connection, admitted, peer);
    } catch (error) {
      if (isConnectionLost(error)) host.log('debug', { ...fields, err: error }, 'a client left');
      else host.failed(error, 'a classic connection failed', fields);
    } finally {
      incoming.refuse();
    }
  }

  async #serve(
    connection: NativeClassicConnection,
    admitted: { grant: Grant; view: NativeView },
    peer: ClassicPeer,
  ): Promise<void> {
    const open: OpenConnection = { connection, isBusy: false };
    this.#open.add(open);
    try {
      const line = await native(() => connection.readLine(COMMAND_TIMEOUT_MS));
      // Nothing was asked, so there is nothing to answer.
      if (line.kind === 'end' || this.#isClosing) return;
      open.isBusy = true;
      const { durability, isDeleteAllowed } = this.#host;
      const request = { connection, ...admitted, durability, isDeleteAllowed };
      const started = performance.now();
      const command = line.kind === 'text' ? readCommand(line.text) : null;
      const outcome = command === null ? await refuse(request, malformedRequest) : await this.#answer(request, command);
      this.#report(command?.verb ?? null, outcome, admitted.grant, peer, (performance.now() - started) / 1000);
    } finally {
      this.#open.delete(open);
      connection.close();
    }
  }

  async #answer(
    request: ClassicRequest,
    command: { verb: string; fields: readonly string[] },
  ): Promise<ClassicOutcome> {
    const known = this.#host.knows(command.verb);
    // What the application has put in a command's place may be a restriction: the old one is not run behind its back.
    if (known === 'replaced') return refuse(request, misconfigured);
    const handler = known === 'built-in' ? classicCommands.get(command.verb) : undefined;
    return handler === undefined ? refuse(request, invalidCommand) : handler(request, command.fields);
  }

  #report(verb: string | null, outcome: ClassicOutcome, grant: Grant, peer: ClassicPeer, seconds: number): void {
    const user = grant.user ?? peer.fingerprint;
    const shown = verb === null ? null : displayName(verb).slice(0, 64);
    const fields = { protocol: 'classic', user, ...peer, verb: shown, status: outcome.status, seconds };
    if (outcome.file !== undefined) {
      const { name, result } = outcome.file;
      const file = { path: `/${name}`, bytes: result.bytes, root: result.root.toString('hex') };
      this.#host.log('info', { ...fields, ...file, path: displayName(file.path) }, 'transfer complete');
      const { host, fingerprint } = peer;
      this.#host.transferred({ verb: outcome.file.verb, user, fingerprint, host, seconds, ...file });
    } else if (outcome.error !== undefined) {
      this.#host.log('info', { ...fields, err: outcome.error }, 'request failed');
    } else {
      this.#host.log('info', fields, 'request answered');
    }
  }
}
