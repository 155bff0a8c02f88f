/**
 * The settings: each is an option, an environment variable and a key in a file. The option wins over the environment,
 * that over the file, and that over the default. A new row here is all that a new setting needs; a verb that is named
 * in it has the option, and gets the value from wherever it was given.
 */
// Not from '../../index.js': that would load the native addon for a mere --help.
import { DEFAULT_PORT } from '../../identity/server-address.js';
import { CLIENT_PACE_ROWS, SERVER_PACE_ROWS } from './pace-rows.js';
import { defineSetting, type Setting, type SettingRow } from './setting.js';
import * as type from './value-types.js';

const serve = { scope: 'server', verbs: ['serve'] } as const;
const everyVerb = { scope: 'client', verbs: 'every' } as const;

const ROWS: readonly SettingRow[] = [
  {
    ...everyVerb,
    flags: '-i, --identity <file|agent>',
    type: type.identities,
    peers: 'also',
    help: 'private key, public key of one in the ssh-agent, or agent[:KEY]; repeatable',
    details: 'Several are tried in order, at most six.',
    defaultText: '`client_id.key` in the configuration directory',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '--passphrase-file <file>',
    type: type.file,
    peers: 'also',
    help: 'its first line opens the private key; no prompt',
    details: 'Without it `E2EEFTP_PASSPHRASE`, then a prompt on the terminal.',
  },
  {
    ...everyVerb,
    flags: '--server-key <fingerprint|file>',
    type: type.serverKey,
    peers: 'also',
    help: "pin the server's key; no prompt",
    details: 'The key that the server must have: `SHA256:…`, a public key, or a file with one. Nothing is saved.',
  },
  {
    ...everyVerb,
    flags: '-P, --port <port>',
    type: type.port,
    peers: 'also',
    help: `port, unless the address names one (default: ${DEFAULT_PORT})`,
    default: DEFAULT_PORT,
  },
  {
    ...everyVerb,
    flags: '--host <host>',
    type: type.host,
    peers: 'only',
    help: 'connect to this host, whatever the address names',
    details: 'In a file this is where a peer is; without it the name of the peer is its host name.',
  },
  {
    ...everyVerb,
    flags: '--user <name>',
    type: type.user,
    peers: 'also',
    help: 'account to log in to, unless the address names one',
    details: 'Refused for now: the key decides what you may do.',
  },
  {
    ...everyVerb,
    flags: '--timeout <seconds>',
    type: type.seconds,
    help: 'give up after this long without a sign of the peer',
    details:
      'Exit code 124. It also bounds connecting and each reply, and may be longer than the defaults: 10 s for connecting, ' +
      '30 s for a transfer that stands still, 300 s for a reply. At most 24 days.',
  },
  {
    ...everyVerb,
    flags: '--hash-known-servers',
    type: type.flag,
    default: false,
    help: 'write the names of new servers as hashes',
    details: '`known_servers` then does not tell which servers you know.',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '--config <file>',
    type: type.file,
    notInFiles: true,
    help: 'configuration file, instead of the usual one',
    defaultText: '`config.toml` in the configuration directory; for a server `server.toml` in its data directory',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '--json',
    type: type.flag,
    default: false,
    help: 'write JSON objects, one a line, to standard output',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '-q, --quiet',
    type: type.flag,
    default: false,
    help: 'only warnings and errors',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '-v, --verbose',
    type: type.counter(2),
    default: 0,
    help: 'say more; twice for traces',
  },
  {
    scope: 'every',
    verbs: 'every',
    flags: '--no-color',
    type: type.flag,
    default: false,
    help: 'plain text, also on a terminal',
    details: '`NO_COLOR` and `TERM=dumb` do the same.',
  },
  {
    scope: 'client',
    verbs: ['send', 'get', 'sync'],
    flags: '-p, --preserve',
    type: type.flag,
    default: true,
    help: 'keep modification time and mode (default)',
    negation: 'the new file gets the present time and default mode',
  },
  {
    scope: 'client',
    verbs: ['send', 'get'],
    flags: '--resume',
    type: type.flag,
    default: true,
    help: 'go on with what an earlier run has left of the same file (default)',
    negation: 'start anew, and discard what an earlier run has left',
  },
  {
    scope: 'client',
    verbs: ['send', 'get'],
    flags: '-j, --connections <n>',
    type: type.integer(1, 16),
    defaultText: 'up to 4, added one by one as long as each makes it faster; 8 to a server that is far away',
    help: 'connections for one file, all at once',
  },
  {
    scope: 'client',
    verbs: ['send', 'get'],
    flags: '--delta <when>',
    type: type.choice('auto', 'always', 'never'),
    default: 'auto',
    help: 'whether what the target has of a file travels again',
    details:
      '`auto` skips a file of the same length and time, and of another one moves only the blocks that differ from the file ' +
      'that has its name; `always` compares the blocks of every file; `never` moves all of it.',
  },
  {
    scope: 'client',
    verbs: ['send', 'get', 'sync'],
    flags: '--checksum',
    type: type.flag,
    default: false,
    help: 'skip a file if length and content are the same, whatever its time',
  },
  {
    scope: 'client',
    verbs: ['send', 'get'],
    flags: '--reconnect <seconds>',
    type: type.secondsOrNone,
    default: 120,
    help: 'how long to try to reach the server again when the connection breaks; 0 is not at all',
    details: 'Counted from the last byte that moved. The transfer goes on where it was.',
  },
  {
    scope: 'client',
    verbs: ['send', 'get', 'sync'],
    flags: '--progress <how>',
    type: type.choice('auto', 'bar', 'plain', 'json', 'none'),
    default: 'auto',
    help: 'how progress is shown',
    details:
      '`auto` is a bar on a terminal and a line each 5 s elsewhere; `json` without `--json` goes to standard error.',
  },
  {
    scope: 'client',
    verbs: ['send', 'get', 'ls', 'rm', 'commands'],
    flags: '--classic',
    type: type.flag,
    default: false,
    peers: 'also',
    help: 'the server is an original Python e2eeftp, or one that serves its clients',
    details: 'The port is 2121 then, unless it is given. Less is protected: see `docs/CLASSIC.md`.',
  },
  {
    scope: 'client',
    verbs: ['send', 'get'],
    flags: '--compress <how>',
    type: type.choice('auto', 'zstd', 'none'),
    default: 'none',
    peers: 'also',
    help: 'compress on the way; auto only while it makes the transfer faster',
    details:
      'Lengths then tell something about the content. Do not compress secrets together with what others may choose: see `docs/THREATS.md`.',
  },
  ...CLIENT_PACE_ROWS,
  {
    ...serve,
    flags: '--root <dir>',
    type: type.directory,
    help: 'the directory that clients see; the same as ROOT',
    details:
      'Made when it is missing, if its parent is there; the start text says so. The default root is made with its parents.',
    defaultText: '`files` in the data directory',
  },
  {
    scope: 'server',
    verbs: ['serve', 'authorize', 'revoke'],
    flags: '--data <dir>',
    type: type.directory,
    help: "the server's data directory: key, key list, server.toml and default root",
    defaultText: '`$XDG_DATA_HOME/e2eeftp`, else `/var/lib/e2eeftp` for root, else `~/.local/share/e2eeftp`',
  },
  {
    scope: 'server',
    verbs: ['serve', 'authorize', 'revoke'],
    flags: '--authorized <file>',
    type: type.file,
    help: 'who may log in (default: authorized_clients.pub in the data directory)',
    defaultText: '`authorized_clients.pub` in the data directory',
  },
  {
    ...serve,
    flags: '--listen <address:port>',
    type: type.listen,
    help: 'where to listen; repeatable; port 0 picks a free one (default: 127.0.0.1:5001, this machine only)',
    details:
      '`:PORT` is every address. In the environment several are separated by blanks or commas, in a file they are a list.',
    defaultText: '`127.0.0.1:5001`, or the port given with `-P`',
  },
  {
    ...serve,
    flags: '--classic <address:port>',
    environment: 'E2EEFTP_CLASSIC_LISTEN',
    type: type.listen,
    help: 'where to serve clients of the original Python e2eeftp, unsafe as they are; repeatable (default: nowhere)',
    details: 'Written as for `--listen`. Warned about in the log: see `docs/CLASSIC.md`.',
    defaultText: 'nowhere',
  },
  {
    ...serve,
    flags: '--classic-allow-delete',
    type: type.flag,
    default: false,
    help: 'let such clients delete files',
    details: 'Their key must permit it, too.',
  },
  {
    ...serve,
    flags: '--read-only',
    type: type.flag,
    default: false,
    help: 'nobody may store or remove, whatever the key list says',
  },
  ...SERVER_PACE_ROWS,
  {
    ...serve,
    flags: '--max-connections <n>',
    type: type.integer(1, 9_999_999),
    defaultText: '4096',
    help: 'most sessions at a time',
    details: 'All addresses together.',
  },
  {
    ...serve,
    flags: '--max-half-open <n>',
    type: type.integer(1, 9_999_999),
    defaultText: '256',
    help: 'most handshakes at a time',
  },
  {
    ...serve,
    flags: '--max-transfers <n>',
    type: type.integer(1, 9_999_999),
    defaultText: '256',
    help: 'most files that move at a time; more wait',
  },
  {
    ...serve,
    flags: '--handshakes-per-second <n>',
    type: type.integer(0, 9_999_999),
    defaultText: '50',
    help: 'most handshakes a second from one address; 0 is no limit',
    details: 'This machine itself is excepted.',
  },
  {
    ...serve,
    flags: '--handshake-burst <n>',
    type: type.integer(1, 9_999_999),
    defaultText: '200',
    help: 'handshakes from one address before that limit counts',
  },
  {
    ...serve,
    flags: '--handshake-timeout <seconds>',
    type: type.seconds,
    defaultText: '10',
    help: 'longest time for a handshake, up to the answer of this server',
  },
  {
    ...serve,
    flags: '--proof-timeout <seconds>',
    type: type.seconds,
    defaultText: '45',
    help: 'how long a client may then take to prove its key',
    details: 'A person may have to touch a security key for it.',
  },
  {
    ...serve,
    flags: '--idle-timeout <seconds>',
    type: type.secondsOrNone,
    defaultText: '900',
    help: 'longest silence of a session between two requests; 0 is no limit',
  },
  {
    ...serve,
    flags: '--stall-timeout <seconds>',
    type: type.seconds,
    defaultText: '300',
    help: 'how long a transfer may stand still',
  },
  {
    ...serve,
    flags: '--drain-timeout <seconds>',
    type: type.secondsOrNone,
    default: 30,
    help: 'how long requests may go on after SIGTERM',
  },
  {
    ...serve,
    flags: '--port-file <file>',
    type: type.file,
    help: 'written when ready: pid, fingerprint and addresses as JSON',
    details:
      'Written whole once the server is ready, removed when it ends; one that a server which is gone left behind is ' +
      'removed at the start: `{"pid":…,"fingerprint":"SHA256:…","e2eeftp":[{"host":"127.0.0.1","port":40123}],"sftp":[],"ftps":[],"classic":[]}`.',
  },
  {
    ...serve,
    flags: '--log-level <level>',
    type: type.choice('debug', 'info', 'warn', 'error', 'silent'),
    default: 'info',
    help: 'what is logged, to standard error',
  },
  {
    ...serve,
    flags: '--log-format <format>',
    type: type.choice('text', 'json'),
    default: 'text',
    help: 'how it is logged',
  },
];

/** All settings, in the order in which help and documents list them. A key is unique for each of the two files. */
export const SETTINGS: readonly Setting[] = ROWS.map(defineSetting);

/** The settings whose option a verb has by its own, in the order of the table. */
export function settingsOfVerb(verb: string): readonly Setting[] {
  return SETTINGS.filter(({ verbs }) => verbs !== 'every' && verbs.includes(verb));
}

/** The settings whose option every verb has. */
export const GLOBAL_SETTINGS: readonly Setting[] = SETTINGS.filter(({ verbs }) => verbs === 'every');
