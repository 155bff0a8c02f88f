/** `e2eeftp serve`: runs a server in the foreground until it is told to end. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Command, OptionValues } from 'commander';
import {
  createServer,
  displayName,
  E2eeftpError,
  refuseExposedPaths,
  type Server,
  serverDataPaths,
  serverDirectory,
  serverName,
} from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { EXIT } from '../exit-code.js';
import { isLoopback, type ListenAddress } from '../listen-address.js';
import { passphraseSource } from '../passphrase-source.js';
import { type PortFile, removePortFile, removeStalePortFile, writePortFile } from '../port-file.js';
import { serverLimits } from '../server-limits.js';
import { createServerLog, type LogFormat, type LogLevel, type ServerLog } from '../server-log.js';
import { isRootMissing, requestedRoot } from '../server-root.js';
import { addSettings } from '../settings/options.js';
import { settingsOfVerb } from '../settings/table.js';
import { notifySystemd } from '../systemd-notify.js';

/** The native layer listens on IP addresses: names are looked up here. */
async function resolveName({ host, port }: ListenAddress): Promise<ListenAddress> {
  if (isIP(host) !== 0) return { host, port };
  try {
    return { host: (await lookup(host)).address, port };
  } catch (cause) {
    throw new E2eeftpError('E2EEFTP_UNKNOWN_HOST', `--listen ${host}: there is no such host name`, { cause });
  }
}

/** Starts to listen; an error names the addresses that were tried. */
async function listenOn(server: Server, listen: readonly ListenAddress[]): Promise<void> {
  try {
    await server.listen();
  } catch (error) {
    if (!E2eeftpError.is(error)) throw error;
    throw error.within(`--listen ${listen.map(({ host, port }) => serverName(host, port)).join(', ')}`);
  }
}

/** Ends by SIGTERM or SIGINT, and not before: resolves with the signal; a second one ends the process at once. */
function untilSignalled(): { ended: Promise<NodeJS.Signals>; stopListening: () => void } {
  let first: NodeJS.Signals | undefined;
  let settle: (signal: NodeJS.Signals) => void = () => undefined;
  const ended = new Promise<NodeJS.Signals>((resolveEnded) => {
    settle = resolveEnded;
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first !== undefined) process.exit(signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted);
    first = signal;
    settle(signal);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return {
    ended,
    stopListening: () => {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    },
  };
}

/** SIGHUP reads the file of authorized clients anew, and its changes count at once. (They are noticed anyway, in seconds.) */
function reloadOnHangup(server: Server, file: string, log: ServerLog): () => void {
  const reload = (): void => {
    server.reload().then(
      () => log.info({ file, keys: server.authorizedClients?.size }, 'authorized clients reloaded'),
      (error: unknown) =>
        log.error({ file, error }, 'authorized clients not reloaded; nobody is let in, and open sessions go on'),
    );
  };
  process.on('SIGHUP', reload);
  return () => process.off('SIGHUP', reload);
}

interface Started {
  server: Server;
  /** The file of authorized clients. */
  file: string;
  dataDir: string;
  addresses: ListenAddress[];
}

function tellStart(context: CliContext, started: Started, readOnly: boolean): void {
  const { output } = context;
  const { server, file, dataDir, addresses } = started;
  const row = (name: string, value: string): void => output.note(`  ${name.padEnd(12)} ${displayName(value)}`);
  const size = server.authorizedClients?.size ?? 0;
  output.note(`${output.style('bold', 'e2eeftp serves')}${readOnly ? ' (read-only)' : ''}`);
  for (const { host, port } of addresses) row('address', serverName(host, port));
  for (const { host, port } of server.classicAddresses) row('classic', `${serverName(host, port)} (not protected)`);
  row('fingerprint', server.fingerprint);
  row('root', server.root);
  row('authorized', `${file} (${size} ${size === 1 ? 'key' : 'keys'})`);
  if (size === 0) {
    output.note(
      `Nobody may log in yet. Add a client's public key: e2eeftp authorize KEY --data ${displayName(dataDir)}`,
    );
  }
  const [first] = addresses;
  if (first !== undefined && addresses.every(({ host }) => isLoopback(host))) {
    output.note('Only this machine can connect. To open it to the network:');
    output.note(`  e2eeftp serve ${displayName(server.root)} --listen 0.0.0.0:${first.port}`);
  }
}

async function tellSystemd(state: 'ready' | 'stopping', context: CliContext, log: ServerLog): Promise<void> {
  try {
    await notifySystemd(state, context.env);
  } catch (error) {
    log.warn({ error, state }, 'systemd was not told; is systemd-notify installed?');
  }
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, env, globals, settings } = context;
  const log = createServerLog(options['logLevel'] as LogLevel, options['logFormat'] as LogFormat);
  const dataDir = resolve((options['data'] as string | undefined) ?? serverDirectory(env));
  const paths = serverDataPaths(dataDir);
  const requested = requestedRoot(
    operands[0],
    options['root'] as string | undefined,
    settings.get('root').origin.from === 'flag',
  );
  const root = requested ?? paths.files;
  const file = resolve((options['authorized'] as string | undefined) ?? paths.authorizedClients);
  const readOnly = options['readOnly'] === true;
  const durability = options['durability'] === 'dir' ? 'directory' : (options['durability'] as 'none' | 'file');
  const drainMs = Math.ceil((options['drainTimeout'] as number) * 1000);
  const portFile = options['portFile'] as string | undefined;
  const wanted = (options['listen'] as ListenAddress[] | undefined) ?? [{ host: '127.0.0.1', port: globals.port }];
  const wantedClassic = (options['classic'] as ListenAddress[] | undefined) ?? [];
  if (wantedClassic.length === 0 && options['classicAllowDelete'] === true) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '--classic-allow-delete is about --classic, which is missing');
  }
  const { ended, stopListening } = untilSignalled();
  try {
    if (portFile !== undefined) await removeStalePortFile(portFile);
    const listen = await Promise.all(wanted.map(resolveName));
    const classic = await Promise.all(wantedClassic.map(resolveName));
    const isNewRoot = requested !== undefined && (await isRootMissing(requested));
    // Who can write the configuration decides who may log in.
    if (settings.file !== undefined) await refuseExposedPaths(root, [settings.file.path]);
    const server = await createServer({
      root,
      dataDir,
      passphrase: passphraseSource(context),
      listen,
      authorizedClients: file,
      readOnly,
      logger: log,
      durability,
      leastDurability:
        options['leastDurability'] === 'dir' ? 'directory' : (options['leastDurability'] as 'none' | 'file'),
      ...(classic.length === 0 ? {} : { classic, classicAllowDelete: options['classicAllowDelete'] === true }),
      ...serverLimits(options),
    });
    if (isNewRoot) output.note(`made ${displayName(root)}`);
    const stopReloading = reloadOnHangup(server, file, log);
    try {
      await listenOn(server, [...listen, ...classic]);
      const addresses = server.addresses.map(({ host, port }) => ({ host, port }));
      const ready: PortFile = {
        pid: process.pid,
        fingerprint: server.fingerprint,
        e2eeftp: addresses,
        sftp: [],
        ftps: [],
        classic: server.classicAddresses.map(({ host, port }) => ({ host, port })),
      };
      if (portFile !== undefined) await writePortFile(portFile, ready);
      if (output.json) output.event({ type: 'result', verb: 'serve', result: { ...ready, root, authorized: file } });
      tellStart(context, { server, file, dataDir, addresses }, readOnly);
      await tellSystemd('ready', context, log);
      const signal = await ended;
      log.info({ signal, graceSeconds: drainMs / 1000 }, 'draining; a second signal ends at once');
      if (portFile !== undefined) await removePortFile(portFile);
      await tellSystemd('stopping', context, log);
    } finally {
      stopReloading();
      await server.close({ graceMs: drainMs });
    }
    return EXIT.ok;
  } finally {
    stopListening();
  }
}

export const verb: Verb = {
  examples: [
    'e2eeftp serve ./inbox',
    'e2eeftp serve /srv/files --listen 0.0.0.0:5001 --data /var/lib/e2eeftp --log-format json',
  ],
  handlesSignals: true,
  configure(command: Command): void {
    command.argument('[root]', 'the directory that clients see (default: files/ in the data directory)');
    addSettings(command, settingsOfVerb('serve'));
  },
  run,
};
