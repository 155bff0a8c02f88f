/**
 * What the server lends to the old wire format: its identity, its list of clients, its storage, its log and its events.
 */
import { ClassicServer } from '../classic/classic-server.js';
import { classicCommands } from '../classic/commands.js';
import type { CommandDefinition, CommandRegistry } from '../e2eeftp/command-registry.js';
import type { BuiltInHandlers } from '../e2eeftp/commands/built-ins.js';
import type { HookRegistry } from '../hooks/hook-registry.js';
import type { NativeListener } from '../native.js';
import { openGrant } from './admission.js';
import { addressOf } from './address-of.js';
import type { EventHub } from './event-hub.js';
import { tellLogin } from './login.js';
import type { ResolvedOptions } from './options.js';
import type { Prepared } from './prepare.js';
import type { Revocable } from './revocation.js';

/** What the server has ready by the time it listens. */
export interface ClassicParts {
  readonly options: ResolvedOptions;
  readonly events: EventHub;
  readonly prepared: Prepared;
  readonly hooks: HookRegistry;
  /** A listener whose limits the old clients share. */
  readonly beside: NativeListener;
  /** Number for a new connection. */
  readonly nextId: () => number;
  /** Looks whether a connection that was let in may stay. */
  readonly check: (connection: Revocable) => void;
  readonly registry: CommandRegistry;
  /** The definitions of the commands that nobody has replaced, by registration or by a subclass. */
  readonly builtIns: ReadonlyMap<string, CommandDefinition | undefined>;
}

/**
 * The definitions that the registry has now of the commands that the old wire format shares; `undefined` for one that
 * `server` answers otherwise than `original` does, because a subclass overrides it.
 */
export function sharedCommands(
  registry: CommandRegistry,
  server: BuiltInHandlers,
  original: BuiltInHandlers,
): ReadonlyMap<string, CommandDefinition | undefined> {
  return new Map(
    [...classicCommands.keys()].map((verb) => {
      const method = `handle${verb.charAt(0)}${verb.slice(1).toLowerCase()}` as keyof BuiltInHandlers;
      return [verb, server[method] === original[method] ? registry.get(verb) : undefined];
    }),
  );
}

/**
 * Starts to serve old clients; `null` when the options name no address for them.
 *
 * @throws E2eeftpError as {@link ClassicServer.listen}; `E2EEFTP_UNKNOWN_HOST`.
 */
export async function listenClassic(parts: ClassicParts): Promise<ClassicServer | null> {
  const { options, events, hooks, registry, builtIns } = parts;
  const { identity, root, admission } = parts.prepared;
  const { logger } = options;
  if (options.classic.length === 0) return null;
  const endpoints = await Promise.all(
    options.classic.map(async ({ host, port }) => ({ host: await addressOf(host), port })),
  );
  const server = await ClassicServer.listen(
    {
      identity,
      dataDir: options.dataDir,
      durability: options.durability,
      isDeleteAllowed: options.classicAllowDelete,
      hooks,
      judge: (key, { host, port }) => admission.judge(key, { host, port }),
      open: async (grant) => (await openGrant(root, grant)).view,
      nextId: parts.nextId,
      opened: parts.check,
      knows: (verb) => {
        const command = registry.get(verb);
        if (command === undefined) return 'unknown';
        if (builtIns.has(verb)) return builtIns.get(verb) === command ? 'built-in' : 'replaced';
        return command.handler === undefined ? 'replaced' : 'unknown';
      },
      log: (level, fields, text) => logger[level](fields, text),
      failed: (error, text, fields) => events.error(error, text, fields),
      loggedIn: (peer, user, reason) => tellLogin(events, peer, user, reason),
      transferred: (transfer) => events.emit('transfer', transfer),
    },
    parts.beside,
    endpoints,
  );
  const isReachable = server.addresses.some(({ host }) => !/^(?:127\.|::1$)/.test(host));
  events.warning({
    message: [
      'classic: the wire format of the original e2eeftp is served, which shows commands, names and listings to every ' +
        'listener and lets them be changed on the way',
      ...(isReachable ? ['other machines can connect'] : []),
      ...(options.classicAllowDelete ? ['DELETE is allowed'] : []),
    ].join('; '),
  });
  return server;
}
