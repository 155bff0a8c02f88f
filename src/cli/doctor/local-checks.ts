/** What `doctor` looks at on this machine. */
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import {
  clientDirectory,
  displayName,
  E2eeftpError,
  hasAesHardware,
  isKeyFileExposed,
  isSystemError,
  KnownServers,
} from '../../index.js';
import type { CliContext } from '../context.js';
import { formatBytes } from '../human-units.js';
import { knownServersFile } from '../open-client.js';
import { type Check, fail, ok, warn } from './check.js';

/** The oldest Node.js that the package supports: `engines` of package.json. */
const OLDEST_NODE = [20, 19] as const;
/** Below this, transfers soon meet a full disk. */
const LITTLE_ROOM = 1024 ** 3;

/** All of them, in the order in which they are shown. */
export async function localChecks(context: CliContext): Promise<Check[]> {
  return [
    judgeNode(process.versions.node),
    addon(),
    aes(hasAesHardware()),
    ...(await Promise.all([configuration(context), key(context), knownServers(context), room(process.cwd())])),
  ];
}

/** Whether this Node.js is new enough. @param version as `20.19.1`. */
export function judgeNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return ok('node', `Node.js ${version}`);
  return fail('node', `Node.js ${version} is too old`, `install Node.js ${OLDEST_NODE.join('.')} or a later one`);
}

/** It is loaded by now: a command line without it ends before any verb. */
function addon(): Check {
  return ok('addon', `${process.platform}-${process.arch}, loaded`);
}

/** Without instructions for it AES is slow. */
export function aes(isThere: boolean): Check {
  if (isThere) return ok('aes', 'the processor has AES instructions: AES-256-GCM');
  return warn(
    'aes',
    'the processor has no AES instructions: connections use ChaCha20-Poly1305',
    'nothing is wrong; another processor would encrypt faster',
  );
}

/** A file that is not right ends every verb before it begins; so what is here has passed. */
async function configuration({ settings }: CliContext): Promise<Check> {
  if (settings.file === undefined) return ok('config', 'no configuration file, which is fine');
  const { path, values, peers } = settings.file;
  return ok('config', `${displayName(path)}: ${values.size} settings, ${peers.size} peers`);
}

async function key(context: CliContext): Promise<Check> {
  const file = context.globals.identity?.[0] ?? join(clientDirectory(context.env), 'client_id.key');
  if (/^agent(:|$)/.test(file)) return ok('key', 'in the ssh-agent');
  try {
    if (!(await stat(file)).isFile())
      return fail('key', `${displayName(file)} is no file`, 'name a key file with -i', 4);
    if (!(await isKeyFileExposed(file))) return ok('key', displayName(file));
    return fail('key', `${displayName(file)} can be read by other users`, `chmod 600 ${displayName(file)}`, 4);
  } catch (error) {
    const reason = isSystemError(error, 'ENOENT') ? 'there is no private key' : String(error);
    return warn('key', `${displayName(file)}: ${reason}`, 'make one: e2eeftp keygen, or name one with -i');
  }
}

async function knownServers(context: CliContext): Promise<Check> {
  const file = knownServersFile(context.env);
  try {
    const { length } = await new KnownServers(file).entries();
    const others = await stat(file).catch(() => null);
    if (process.platform !== 'win32' && others !== null && (others.mode & 0o022) !== 0) {
      return fail(
        'known servers',
        `${displayName(file)} can be changed by other users`,
        `chmod go-w ${displayName(file)}`,
        4,
      );
    }
    return ok('known servers', `${displayName(file)}: ${length === 0 ? 'none yet' : length}`);
  } catch (error) {
    const failure = E2eeftpError.is(error) ? error : null;
    return fail(
      'known servers',
      displayName(failure?.message ?? String(error)),
      failure?.hint ?? 'correct the file',
      failure?.exitCode,
    );
  }
}

/** How much fits into a directory. */
export async function room(directory: string): Promise<Check> {
  try {
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    const text = `${formatBytes(free)} free in ${displayName(directory)}`;
    return free >= LITTLE_ROOM
      ? ok('disk', text)
      : warn('disk', text, 'make room, or get files into another directory');
  } catch (error) {
    return warn(
      'disk',
      `${displayName(directory)}: ${displayName(String(error))}`,
      'change into a directory that is there',
    );
  }
}
