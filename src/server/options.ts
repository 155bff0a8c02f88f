/**
 * The options of a server, their defaults and their checks.
 */
import { E2eeftpError } from '../errors.js';
import type { Durability } from '../e2eeftp/commands/send.js';
import { serverDirectory } from '../identity/default-directories.js';
import type { Identity } from '../identity/identity.js';
import type { Passphrase } from '../identity/passphrase.js';
import type { PublicKey } from '../identity/public-key.js';
import { DEFAULT_PORT } from '../identity/server-address.js';
import { serverDataPaths } from '../identity/server-data.js';
import type { GivenGrant } from '../storage/grant.js';
import { silentLogger } from './logger.js';
import type { Logger } from './logger.js';

/** An address to listen on. */
export interface Endpoint {
  /** Name or address; `0.0.0.0` or `::` for every interface. @default '127.0.0.1' */
  readonly host?: string;
  /** 0 picks a free port. @default 5001 */
  readonly port?: number;
}

/** What is known of a client when its key is judged. */
export interface ClientInfo {
  readonly host: string;
  readonly port: number;
}

/**
 * Decides about a key that a client has proved to have. `null` refuses it; members left out of a grant are not
 * permitted (`fullGrant` permits everything). Throwing refuses too, and emits `error`.
 */
export type Authorize = (key: PublicKey, info: ClientInfo) => GivenGrant | null | Promise<GivenGrant | null>;

/** Options of `createServer` and `new Server`. */
export interface ServerOptions {
  /** Directory that clients see as `/`; made when missing. @default dataDir/files */
  readonly root?: string;
  /** Identity, key list and files. @default $XDG_DATA_HOME/e2eeftp, /var/lib/e2eeftp as root */
  readonly dataDir?: string;
  /** The server's identity, instead of the one in `dataDir`. */
  readonly identity?: Identity;
  /** Passphrase of the identity in `dataDir`. @default none */
  readonly passphrase?: Passphrase;
  /** @default [{host: '127.0.0.1', port: 5001}] */
  readonly listen?: Endpoint | readonly Endpoint[];
  /**
   * Where old clients are served, in the wire format of the original e2eeftp (`docs/CLASSIC.md`); the default port is 2121.
   * @default nowhere
   */
  readonly classic?: Endpoint | readonly Endpoint[];
  /** Whether old clients may delete. @default false */
  readonly classicAllowDelete?: boolean;
  /** File of keys, or a function that decides. @default dataDir/authorized_clients.pub */
  readonly authorizedClients?: string | Authorize;
  /** Nobody may store or delete, whatever the grants say. @default false */
  readonly readOnly?: boolean;
  /** How far a stored file must be on disk before the client is told that it is complete. @default 'file' */
  readonly durability?: Durability;
  /** The least of it that a client may ask for. @default 'none' */
  readonly leastDurability?: Durability;
  /** Time from a connection to the answer to its hello, in milliseconds. @default 10_000 */
  readonly handshakeTimeoutMs?: number;
  /**
   * Time from there to the client's proof of its identity, in milliseconds: a person may have to touch a security key.
   * @default 45_000
   */
  readonly proofTimeoutMs?: number;
  /** How long a session may be idle between requests, in milliseconds; 0 = for ever. @default 900_000 */
  readonly idleTimeoutMs?: number;
  /** How long a transfer may stand still, in milliseconds. @default 30_000 */
  readonly stallTimeoutMs?: number;
  /**
   * How often the body of a custom command, whose source is silent, says that it is still there, in milliseconds, from 1;
   * to be well below the clients' `stallTimeoutMs`. @default 10_000
   */
  readonly keepAliveMs?: number;
  /** Most sessions at a time, over all addresses. @default 4096 */
  readonly maxConnections?: number;
  /** Most handshakes at a time. @default 256 */
  readonly maxHalfOpen?: number;
  /** Handshakes a second from one address; 0 = no limit. @default the native layer's */
  readonly handshakesPerSecond?: number;
  /** Handshakes from one address before that limit counts. @default the native layer's */
  readonly handshakeBurst?: number;
  /** Most files that move at a time; more wait. @default the native layer's */
  readonly maxTransfers?: number;
  /** Most bytes a second that all files together move in each direction; 0 = no limit. @default 0 */
  readonly limitRate?: number;
  /** How long an upload waits when the disk is full, in milliseconds; 0 = not at all. @default 600_000 */
  readonly spaceTimeoutMs?: number;
  /** How long a hook, or a function that decides about a key, may take, in milliseconds; then it denies. @default 30_000 */
  readonly hookTimeoutMs?: number;
  /** @default no log */
  readonly logger?: Logger;
}

/** Limits that the native listener enforces. */
export type NativeLimits = Pick<
  ServerOptions,
  | 'handshakeTimeoutMs'
  | 'proofTimeoutMs'
  | 'stallTimeoutMs'
  | 'keepAliveMs'
  | 'maxConnections'
  | 'maxHalfOpen'
  | 'handshakesPerSecond'
  | 'handshakeBurst'
  | 'maxTransfers'
  | 'limitRate'
  | 'spaceTimeoutMs'
>;

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly root: string;
  readonly dataDir: string;
  readonly identity: Identity | null;
  readonly passphrase: Passphrase | undefined;
  readonly listen: readonly Required<Endpoint>[];
  readonly classic: readonly Required<Endpoint>[];
  readonly classicAllowDelete: boolean;
  readonly authorizedClients: string | Authorize;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly leastDurability: Durability;
  readonly idleTimeoutMs: number;
  readonly hookTimeoutMs: number;
  readonly limits: NativeLimits;
  readonly logger: Logger;
}

/** Port of the original's command line. */
const CLASSIC_PORT = 2121;

const durabilities: readonly Durability[] = ['none', 'file', 'directory'];
const limitNames = [
  'handshakeTimeoutMs',
  'proofTimeoutMs',
  'stallTimeoutMs',
  'keepAliveMs',
  'maxConnections',
  'maxHalfOpen',
  'handshakesPerSecond',
  'handshakeBurst',
  'maxTransfers',
  'limitRate',
  'spaceTimeoutMs',
] as const;

const names: ReadonlySet<string> = new Set<keyof ServerOptions>([
  ...limitNames,
  'root',
  'dataDir',
  'identity',
  'passphrase',
  'listen',
  'classic',
  'classicAllowDelete',
  'authorizedClients',
  'readOnly',
  'durability',
  'leastDurability',
  'idleTimeoutMs',
  'hookTimeoutMs',
  'logger',
]);
const unsupported: ReadonlySet<string> = new Set(['sftp', 'ftps', 'accounts']);

/**
 * Fills in defaults.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` naming an option that is unknown or out of range;
 * `E2EEFTP_UNSUPPORTED` for `sftp`, `ftps` and `accounts`.
 */
export function resolveOptions(options: ServerOptions): ResolvedOptions {
  checkNames(options);
  const dataDir = options.dataDir ?? serverDirectory();
  const paths = serverDataPaths(dataDir);
  const limits: Record<string, number> = {};
  for (const name of limitNames) {
    const value = options[name];
    if (value === undefined) continue;
    const most = name === 'limitRate' ? Number.MAX_SAFE_INTEGER : 2 ** 32 - 1;
    if (!Number.isSafeInteger(value) || value < 0 || value > most) throw invalid(name, 'a whole number');
    if (name === 'keepAliveMs' && value === 0) throw invalid(name, 'at least 1');
    limits[name] = value;
  }
  const idleTimeoutMs = options.idleTimeoutMs ?? 900_000;
  if (!(Number.isSafeInteger(idleTimeoutMs) && idleTimeoutMs >= 0)) throw invalid('idleTimeoutMs', 'a whole number');
  const hookTimeoutMs = options.hookTimeoutMs ?? 30_000;
  if (!(Number.isSafeInteger(hookTimeoutMs) && hookTimeoutMs >= 1 && hookTimeoutMs < 2 ** 31)) {
    throw invalid('hookTimeoutMs', 'a whole number from 1 on');
  }
  const durability = options.durability ?? 'file';
  if (!durabilities.includes(durability)) throw invalid('durability', durabilities.join(', '));
  const leastDurability = options.leastDurability ?? 'none';
  if (!durabilities.includes(leastDurability)) throw invalid('leastDurability', durabilities.join(', '));
  return {
    root: options.root ?? paths.files,
    dataDir,
    identity: options.identity ?? null,
    passphrase: options.passphrase,
    listen: endpoints('listen', options.listen ?? {}, DEFAULT_PORT),
    classic:
      options.classic === undefined || (Array.isArray(options.classic) && options.classic.length === 0)
        ? []
        : endpoints('classic', options.classic, CLASSIC_PORT),
    classicAllowDelete: options.classicAllowDelete ?? false,
    authorizedClients: options.authorizedClients ?? paths.authorizedClients,
    readOnly: options.readOnly ?? false,
    durability,
    leastDurability,
    idleTimeoutMs,
    hookTimeoutMs,
    limits,
    logger: options.logger ?? silentLogger,
  };
}

function endpoints(
  name: string,
  given: Endpoint | readonly Endpoint[],
  defaultPort: number,
): readonly Required<Endpoint>[] {
  const list = Array.isArray(given) ? (given as readonly Endpoint[]) : [given as Endpoint];
  if (list.length === 0) throw invalid(name, 'at least one address');
  return list.map(({ host = '127.0.0.1', port = defaultPort }) => {
    if (typeof host !== 'string' || host === '') throw invalid(`${name}.host`, 'a name or an address');
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid(`${name}.port`, 'a number from 0 to 65535');
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
  });
}

/** An option that has no effect would be worse than an error: it may be a restriction. */
function checkNames(options: ServerOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (names.has(name) || value === undefined) continue;
    if (unsupported.has(name)) throw new E2eeftpError('E2EEFTP_UNSUPPORTED', `option ${name} is not supported yet`);
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `there is no option ${name}`);
  }
}

function invalid(name: string, wanted: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `option ${name} must be ${wanted}`);
}
