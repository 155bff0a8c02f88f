/**
 * How each code of `docs/ERRORS.md` comes about through the real command line: a user's command, against `e2eeftp serve`,
 * or against what a user may meet instead of it.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, truncateSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { ErrorCode } from '../../dist/index.js';
import { Proxy } from '../hostile/proxy.js';
import { mountSmall, remount } from '../hostile/small-mount.js';
import { ready, sandbox, through, until } from '../hostile/world.js';
import type { RunningServer, RunResult, Sandbox } from './run.js';

/** Has the code come about; the result is that of the command line that tells it. */
type Produce = (t: ExecutionContext) => Promise<RunResult>;

/** A server and a client that may do everything, and a command line that meets them. */
function meets(
  words: string[] | ((box: Sandbox, server: RunningServer) => string[] | Promise<string[]>),
  serve: string[] = [],
): Produce {
  return async (t) => {
    const { box, server } = await ready(t, serve);
    box.write('files/there', 'there');
    box.write('files/directory/inside', 'inside');
    box.write('file', 'file');
    return box.run([...(typeof words === 'function' ? await words(box, server) : words), ...server.at]);
  };
}

/** A command line that needs no server. */
function alone(words: string[] | ((box: Sandbox) => string[]), env: Record<string, string> = {}): Produce {
  return async (t) => {
    const box = sandbox(t);
    await box.keygen();
    return box.run(typeof words === 'function' ? words(box) : words, { env });
  };
}

/** A key that may not do everything. */
function withOption(option: string, words: string[]): Produce {
  return async (t) => {
    const box = sandbox(t);
    const server = await box.ready([option]);
    box.write('file', 'file');
    box.write('files/there', 'there');
    return box.run([...words, ...server.at]);
  };
}

/** A port of 127.0.0.1 where nobody listens, or somebody who says this and no more. */
async function stranger(t: ExecutionContext, says: string | Buffer | null): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    if (says !== null) socket.once('data', () => socket.end(says));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server of the library with commands of its own. */
function meetsOdd(words: string[], input: Buffer | string = ''): Produce {
  return async (t) => {
    const box = sandbox(t);
    await box.keygen();
    mkdirSync(box.path('odd'));
    const script = fileURLToPath(new URL('odd-server.js', import.meta.url));
    const child = fork(script, [box.path('odd'), box.path('files')], { env: box.env(), stdio: 'ignore' });
    t.teardown(() => child.kill('SIGKILL'));
    const [{ port, fingerprint }] = (await once(child, 'message')) as [{ port: number; fingerprint: string }];
    return box.run([...words, '-P', String(port), '--server-key', fingerprint], { input });
  };
}

/** A transfer of a large file that stands still while something is done. */
function during(
  direction: 'send' | 'get',
  deed: (box: Sandbox, server: RunningServer, proxy: Proxy) => Promise<void> | void,
  serve: string[] = [],
): Produce {
  return async (t) => {
    const { box, server } = await ready(t, serve);
    const way = direction === 'send' ? 'toServer' : 'toClient';
    const proxy = await Proxy.start(t, server.port, (link) => {
      link[way].holdAt = 1_000_000;
    });
    const file = box.write(direction === 'send' ? 'big' : 'files/big', Buffer.alloc(48_000_000));
    mkdirSync(box.path('files/into'));
    mkdirSync(box.path('out'));
    const operands = direction === 'send' ? [file, '127.0.0.1:into/big'] : ['127.0.0.1:big', 'out/'];
    const run = box.start([direction, ...operands, ...through(proxy.port, server)], { input: '' });
    await until(() => proxy.links.length > 0, 'the connection');
    await proxy.link[way].held;
    await deed(box, server, proxy);
    proxy.link[way].release();
    return run.result;
  };
}

/** A command line while a file is sent into `into/`. */
function besideTransfer(words: string[], serve: string[] = []): Produce {
  return async (t) => {
    let result: RunResult | undefined;
    const beside = async (box: Sandbox, server: RunningServer): Promise<void> => {
      result = await box.run([...words, ...server.at]);
    };
    await during('send', beside, serve)(t);
    if (result === undefined) throw new Error('nothing was run');
    return result;
  };
}

/** What a server says until a client knows it: M3 behind its header, and M4 (`docs/PROTOCOL.md` §3 and §4). */
const SERVER_LOGIN_LENGTH = 4 + 1216 + 1044;

/** A login that lasts until the key has expired. */
async function expiresInside(t: ExecutionContext): Promise<RunResult> {
  const box = sandbox(t);
  await box.keygen();
  const server = await box.serve();
  const proxy = await Proxy.start(t, server.port, (link) => {
    link.toClient.holdAt = SERVER_LOGIN_LENGTH;
  });
  // Options of keys know whole seconds.
  const end = Math.ceil(Date.now() / 1000 + 5) * 1000;
  const option = `expires=${new Date(end).toISOString().slice(0, 19)}Z`;
  const done = await box.run(['authorize', 'config/e2eeftp/client_id.pub', '--option', option]);
  if (done.code !== 0) throw new Error(done.stderr);
  const run = box.start(['ls', '127.0.0.1:', '--timeout', '60', ...through(proxy.port, server)], { input: '' });
  await server.run.until(/session opened/);
  await delay(end - Date.now() + 100);
  proxy.link.toClient.release();
  return run.result;
}

/** A server that has descriptors left for the connection, but not for all that it has to open. */
async function withoutDescriptors(t: ExecutionContext): Promise<RunResult> {
  const { box, server } = await ready(t);
  box.write('files/a/b/c/d', '');
  const pid = String(server.run.child.pid);
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  const free = Array.from({ length: 500 }, (_, number) => number).filter((number) => !used.has(number));
  let result = await box.run(['ls', '127.0.0.1:a', ...server.at]);
  for (let room = 1; room < 12 && !result.stderr.includes('TOO_MANY_OPEN'); room += 1) {
    execFileSync('prlimit', ['--pid', pid, `--nofile=${free[room] ?? 0}:`]);
    result = await box.run(['ls', '-R', '127.0.0.1:a', '--timeout', '3', ...server.at]);
  }
  return result;
}

function encryptedKey(env: Record<string, string> = {}): Produce {
  return async (t) => {
    const box = sandbox(t);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', box.path('locked')]);
    return box.run(['ls', 'localhost:', '-i', 'locked'], { env });
  };
}

async function interrupted(t: ExecutionContext, signal: NodeJS.Signals): Promise<RunResult> {
  const box = sandbox(t);
  await box.keygen();
  const port = await stranger(t, null);
  const run = box.start(['ls', '127.0.0.1:', '-v', '-P', String(port), '--server-key', `SHA256:${'A'.repeat(43)}`]);
  await run.until(/connecting to/);
  run.kill(signal);
  return run.result;
}

async function fullDisk(t: ExecutionContext): Promise<RunResult> {
  const box = sandbox(t);
  mountSmall(t, box.path('files'), 'size=1m');
  const server = await box.ready();
  return box.run(['send', box.write('big', Buffer.alloc(3_000_000)), '127.0.0.1:', ...server.at]);
}

async function readOnlyDisk(t: ExecutionContext): Promise<RunResult> {
  const box = sandbox(t);
  mountSmall(t, box.path('files'), 'size=4m');
  const server = await box.ready();
  remount(box.path('files'), 'ro');
  return box.run(['send', box.write('file', 'x'), '127.0.0.1:', ...server.at]);
}

async function changedUnderWay(t: ExecutionContext): Promise<RunResult> {
  const { box, server } = await ready(t);
  box.write('files/big', Buffer.alloc(3_000_000));
  const proxy = await Proxy.start(t, server.port, (link) => {
    link.toClient.change = (piece, offset) => {
      const at = 1_500_000 - offset;
      if (at >= 0 && at < piece.length) piece[at] = (piece[at] ?? 0) ^ 1;
      return piece;
    };
  });
  return box.run(['get', '127.0.0.1:big', 'copy', ...through(proxy.port, server)]);
}

async function otherVersion(t: ExecutionContext): Promise<RunResult> {
  const { box, server } = await ready(t);
  const proxy = await Proxy.start(t, server.port, (link) => {
    link.toClient.change = (piece, offset) => {
      // The second byte of the hello is the version.
      if (offset <= 5 && piece.length > 5 - offset) piece[5 - offset] = 99;
      return piece;
    };
  });
  return box.run(['ls', '127.0.0.1:', ...through(proxy.port, server)]);
}

async function atPort(t: ExecutionContext, port: number, more: string[] = []): Promise<RunResult> {
  const box = sandbox(t);
  await box.keygen();
  return box.run(['ls', '127.0.0.1:', '-P', String(port), '--server-key', `SHA256:${'A'.repeat(43)}`, ...more]);
}

/** A code that only programs that use the library can meet, and why. The shorter this list, the better. */
export const LIBRARY_ONLY = {
  E2EEFTP_CLOSED: 'says that the caller uses a client or server after closing it; the command line closes last of all',
  E2EEFTP_FILE_BY_FILE: 'sendTree and getTree meet it and go on with a request for each file',
} as const satisfies Partial<Record<ErrorCode, string>>;

/** Every other code. */
export const EVERY_CODE: Readonly<Record<Exclude<ErrorCode, keyof typeof LIBRARY_ONLY>, Produce>> = {
  E2EEFTP_INVALID_ARGUMENT: alone(['ls', 'local']),
  E2EEFTP_CONFIG: alone((box) => ['fingerprint', '--config', box.write('c.toml', 'nonsense')]),
  E2EEFTP_CONNECT: async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return atPort(t, port);
  },
  E2EEFTP_UNKNOWN_HOST: alone(['ls', 'nobody.invalid:']),
  E2EEFTP_CONNECTION_LOST: during('send', (_, __, proxy) => proxy.link.cut()),
  E2EEFTP_PROTOCOL: async (t) => atPort(t, await stranger(t, 'HTTP/1.1 400 Bad Request\r\n\r\n')),
  E2EEFTP_TIMEOUT: async (t) => atPort(t, await stranger(t, null), ['--timeout', '0.5']),
  E2EEFTP_ABORTED: (t) => interrupted(t, 'SIGINT'),
  E2EEFTP_KEY_FILE: alone(['ls', 'localhost:', '-i', 'missing']),
  E2EEFTP_KEY_ENCRYPTED: encryptedKey(),
  E2EEFTP_WRONG_PASSPHRASE: encryptedKey({ E2EEFTP_PASSPHRASE: 'guessed' }),
  E2EEFTP_AGENT: alone(['ls', 'localhost:', '-i', 'agent'], { SSH_AUTH_SOCK: '/nonexistent' }),
  E2EEFTP_WEAK_KEY: alone(['fingerprint', `${'A'.repeat(43)}=`]),
  E2EEFTP_AUTH_REFUSED: meets(async (box) => {
    await box.run(['keygen', 'other']);
    return ['ls', '127.0.0.1:', '-i', 'other'];
  }),
  E2EEFTP_SERVER_KEY_UNKNOWN: async (t) => {
    const { box, server } = await ready(t);
    return box.run(['ls', '127.0.0.1:', '-P', String(server.port)]);
  },
  E2EEFTP_SERVER_KEY_CHANGED: async (t) => {
    const { box, server } = await ready(t);
    return box.run(['ls', '127.0.0.1:', '-P', String(server.port), '--server-key', `SHA256:${'A'.repeat(43)}`]);
  },
  E2EEFTP_INCOMPATIBLE: otherVersion,
  E2EEFTP_NOT_PERMITTED: withOption('read-only', ['rm', '127.0.0.1:there']),
  E2EEFTP_EXPIRED: expiresInside,
  E2EEFTP_READ_ONLY: readOnlyDisk,
  E2EEFTP_NOT_FOUND: meets(['get', '127.0.0.1:missing']),
  E2EEFTP_EXISTS: meets(['send', '--no-clobber', 'file', '127.0.0.1:there']),
  E2EEFTP_IS_DIRECTORY: meets(['rm', '127.0.0.1:directory']),
  E2EEFTP_NOT_DIRECTORY: meets(['get', '127.0.0.1:there/below']),
  E2EEFTP_NOT_EMPTY: meetsOdd(['call', '127.0.0.1', 'PASSES_ON', 'code=E2EEFTP_NOT_EMPTY']),
  E2EEFTP_NOT_REGULAR: meets(['send', '/dev/null', '127.0.0.1:']),
  E2EEFTP_BUSY: besideTransfer(['rm', '-r', '127.0.0.1:into']),
  E2EEFTP_SOURCE_CHANGED: during('send', (box) => truncateSync(box.path('big'), 1000)),
  E2EEFTP_BAD_PATH: meets(['get', '127.0.0.1:../x']),
  E2EEFTP_BAD_REQUEST: meets(['call', '127.0.0.1', 'STAT', 'path:=5']),
  E2EEFTP_UNKNOWN_COMMAND: meets(['call', '127.0.0.1', 'FROB']),
  E2EEFTP_NOT_IMPLEMENTED: meetsOdd(['call', '127.0.0.1', 'NOTHING']),
  E2EEFTP_UNSUPPORTED: alone(['ls', 'ann@localhost:']),
  E2EEFTP_TOO_LARGE: withOption('max-size=1', ['send', 'file', '127.0.0.1:']),
  E2EEFTP_NO_SPACE: fullDisk,
  E2EEFTP_INTEGRITY: changedUnderWay,
  E2EEFTP_RECEIPT: alone((box) => ['receipt', 'verify', box.write('file', 'no receipt')]),
  E2EEFTP_RATE_LIMITED: besideTransfer(['ls', '127.0.0.1:'], ['--max-connections', '1']),
  // The third of the refusals of `docs/PROTOCOL.md` §1.2.
  E2EEFTP_SHUTTING_DOWN: async (t) => atPort(t, await stranger(t, Buffer.from('5300000400000003', 'hex'))),
  E2EEFTP_TOO_MANY_OPEN: withoutDescriptors,
  E2EEFTP_HOOK_TIMEOUT: meetsOdd(['call', '127.0.0.1', 'WAITS']),
  E2EEFTP_SERVER_ERROR: meetsOdd(['call', '127.0.0.1', 'BREAKS']),
  E2EEFTP_IO: alone((box) => {
    box.write('file', '');
    return ['authorize', 'config/e2eeftp/client_id.pub', '--authorized', 'file/list'];
  }),
  E2EEFTP_PEER_STOPPED: meetsOdd(['send', '-', '127.0.0.1:x'], Buffer.alloc(20_000_000)),
  E2EEFTP_PEER_ABORTED: meetsOdd(['call', '127.0.0.1', 'PASSES_ON', 'code=E2EEFTP_PEER_ABORTED']),
  E2EEFTP_PARTIAL: meets(['stat', '127.0.0.1:there', '127.0.0.1:missing']),
  E2EEFTP_NO_BINARY: alone(['fingerprint'], { NAPI_RS_NATIVE_LIBRARY_PATH: '/nonexistent' }),
  // An addon that loads and has nothing in it: nobody would do that, and that is what the code is for.
  E2EEFTP_INTERNAL: async (t) => {
    const box = sandbox(t);
    await box.keygen();
    const empty = box.write('empty.cjs', '');
    return box.run(['fingerprint'], { env: { NAPI_RS_NATIVE_LIBRARY_PATH: empty } });
  },
};

/** How the exit codes come about that no error has. */
export const OTHER_EXITS: Readonly<Record<number, Produce>> = {
  0: alone(['fingerprint']),
  141: async (t) => {
    const box = sandbox(t);
    await box.keygen();
    const run = box.start(['fingerprint']);
    run.child.stdout?.destroy();
    return run.result;
  },
  143: (t) => interrupted(t, 'SIGTERM'),
};
