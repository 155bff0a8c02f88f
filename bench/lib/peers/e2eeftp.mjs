/** The product as a person runs it: the daemon `e2eeftp serve` and the commands `send` and `get`. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { measureCommand } from '../command.mjs';
import { assertSameContent, assertSize } from '../files.mjs';
import { cliPath, libraryPath, missingFiles } from '../paths.mjs';
import { here } from '../place.mjs';
import { cleanEnvironment, end, run } from '../processes.mjs';

const READY_MS = 15_000;
const READY_STEP_MS = 20;

/** Why the product can't be measured, or null. */
export function productMissing() {
  return missingFiles(cliPath, libraryPath);
}

/** Whether `send` has this option. */
export function productHas(option) {
  const { stdout } = spawnSync(process.execPath, [cliPath, 'send', '--help'], { encoding: 'utf8' });
  return new RegExp(`(^|\\s)${option}\\b`, 'm').test(stdout ?? '');
}

/**
 * @typedef {object} Daemon
 * @property {number} pid
 * @property {string} host
 * @property {number} port
 * @property {string} fingerprint
 * @property {string} identity key file of the one client that may do everything
 * @property {string} root the served folder
 * @property {NodeJS.ProcessEnv} env for clients
 * @property {string[]} options what every client command is given
 * @property {() => Promise<void>} close
 */

/**
 * Makes a client key and authorizes it for everything.
 *
 * @param {string} folder made here
 * @returns {Promise<{env: NodeJS.ProcessEnv, identity: string, data: string, root: string}>}
 */
export async function makeClientKeys(folder) {
  const data = path.join(folder, 'data');
  const root = path.join(folder, 'root');
  const home = path.join(folder, 'home');
  const identity = path.join(folder, 'client_id.key');
  for (const made of [data, root, home]) fs.mkdirSync(made, { recursive: true });
  const env = cleanEnvironment(home);
  await run(process.execPath, [cliPath, 'keygen', identity, '--no-passphrase'], { env });
  const authorize = ['authorize', publicKeyFile(identity), '--data', data];
  await run(process.execPath, [cliPath, ...authorize], { env });
  return { env, identity, data, root };
}

/**
 * Makes keys and starts a daemon.
 *
 * @param {string} folder made here; holds everything of the daemon
 * @param {import('../place.mjs').Place} [place] where it runs and listens
 * @returns {Promise<Daemon>}
 */
export async function startDaemon(folder, place = here) {
  const { env, identity, data, root } = await makeClientKeys(folder);
  const portFile = path.join(folder, 'port.json');
  const listen = ['--listen', `${place.host}:0`, '--port-file', portFile, '--log-level', 'error'];
  const daemon = place.start(process.execPath, [cliPath, 'serve', root, '--data', data, ...listen], {
    env,
    output: 'ignore',
  });
  try {
    const { fingerprint, e2eeftp } = await portsOf(daemon, portFile);
    const { port } = e2eeftp[0];
    const options = ['-i', identity, '-P', `${port}`, '--server-key', fingerprint];
    const address = { pid: daemon.pid, host: place.host, port, fingerprint };
    return { ...address, identity, root, env, options, close: () => end(daemon) };
  } catch (error) {
    await end(daemon);
    throw error;
  }
}

/** The public line beside a private key file: `client_id.key` and `client_id.pub`. */
function publicKeyFile(identity) {
  const candidates = [identity.replace(/\.key$/, '.pub'), `${identity}.pub`];
  const found = candidates.find((file) => fs.existsSync(file));
  if (found === undefined) throw new Error('keygen wrote no public key');
  return found;
}

async function portsOf(daemon, portFile) {
  for (let waited = 0; waited < READY_MS; waited += READY_STEP_MS) {
    if (fs.existsSync(portFile)) return JSON.parse(fs.readFileSync(portFile, 'utf8'));
    if (daemon.child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, READY_STEP_MS));
  }
  throw new Error(`the daemon is not ready: ${daemon.complaint() || 'no message'}`);
}

/**
 * The command that moves one file.
 *
 * @param {Daemon} daemon
 * @param {'send' | 'get'} verb
 * @param {string} source a file; for `get` below the daemon's root
 * @param {string} target a file; for `send` below the daemon's root
 * @param {string[]} options
 * @returns {{command: string, args: string[], env: NodeJS.ProcessEnv}}
 */
export function productCommand(daemon, verb, source, target, options) {
  const remote = (file) => `${daemon.host}:/${path.relative(daemon.root, file)}`;
  const addresses = verb === 'send' ? [source, remote(target)] : [remote(source), target];
  const args = [cliPath, verb, ...addresses, ...daemon.options, '--json', ...options];
  return { command: process.execPath, args, env: daemon.env };
}

/**
 * Moves a file into a new one, or with `keep` brings an existing one up to date.
 *
 * @param {Daemon} daemon
 * @param {'send' | 'get'} verb
 * @param {string} source a file; for `get` below the daemon's root
 * @param {string} target a file; for `send` below the daemon's root. Removed before and afterwards,
 *   unless it is kept
 * @param {boolean} compare whether the content is compared
 * @param {{keep?: boolean, slowest?: number, options?: string[]}} [more] see {@link measureCommand};
 *   options of the verb
 * @returns {Promise<import('../rounds.mjs').Sample & {sentBytes: number}>}
 */
export async function transfer(daemon, verb, source, target, compare, { keep = false, slowest, options = [] } = {}) {
  if (!keep) fs.rmSync(target, { force: true });
  const { size } = fs.statSync(source);
  try {
    const { lines, ...sample } = await measureCommand({
      ...productCommand(daemon, verb, source, target, ['--progress', 'none', ...options]),
      serverPid: daemon.pid,
      bytes: size,
      slowest,
    });
    const complete = completeOf(lines);
    if (complete.bytes !== size || complete.verified !== true) {
      throw new Error('the command did not verify every byte');
    }
    if (compare) assertSameContent(source, target);
    else assertSize(target, size);
    return { ...sample, transferSeconds: complete.seconds, sentBytes: complete.sentBytes };
  } finally {
    if (!keep) fs.rmSync(target, { force: true });
  }
}

/** @param {string[]} lines what a command with `--json` printed */
export function completeOf(lines) {
  const complete = lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'complete');
  if (complete === undefined) throw new Error('the command printed no "complete"');
  return complete;
}
