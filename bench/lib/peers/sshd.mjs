/** A private sshd on a loopback port, with keys and configuration of its own. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { inside } from '../namespace.mjs';
import { findProgram } from '../paths.mjs';
import { here } from '../place.mjs';
import { cleanEnvironment, end, run } from '../processes.mjs';

const READY_MS = 5000;
const READY_STEP_MS = 20;
/** Where sshd, started by root, wants an empty folder. */
const PRIVILEGE_FOLDER = '/run/sshd';
const MANY = 1000;
/** Its port where nothing else listens. */
const FAR_PORT = 2222;

/** The three ciphers that are compared. */
export const scpCiphers = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com'];

/**
 * @typedef {object} Sshd
 * @property {number} pid
 * @property {string} host
 * @property {number} port
 * @property {string} user
 * @property {NodeJS.ProcessEnv} env for clients
 * @property {string[]} options for `ssh` and `scp`, without the port
 * @property {() => Promise<void>} close
 */

/**
 * Makes keys and starts the server.
 *
 * @param {string} folder made here
 * @param {string | null} wanted path of the sshd to use
 * @param {import('../place.mjs').Place} [place] where it runs and listens
 * @returns {Promise<Sshd>}
 * @throws {Error} that says what to install when there is none or it can't run here
 */
export async function startSshd(folder, wanted, place = here) {
  const { host } = place;
  const sshd = wanted ?? findProgram('sshd', ['/usr/sbin', '/usr/local/sbin']);
  if (sshd === null) throw new Error('no sshd here: apt-get install openssh-server');
  if (findProgram('scp') === null) throw new Error('no scp here: apt-get install openssh-client');
  fs.mkdirSync(folder, { mode: 0o700, recursive: true });
  const env = cleanEnvironment(folder);
  const hostKey = path.join(folder, 'host_key');
  const userKey = path.join(folder, 'user_key');
  for (const key of [hostKey, userKey]) {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], { env });
  }
  const port = place === here ? await freePort(host) : FAR_PORT;
  const config = path.join(folder, 'sshd_config');
  fs.writeFileSync(config, configuration(host, port, hostKey, `${userKey}.pub`));
  const knownHosts = path.join(folder, 'known_hosts');
  fs.writeFileSync(knownHosts, `[${host}]:${port} ${fs.readFileSync(`${hostKey}.pub`, 'utf8')}`);
  preparePrivilegeFolder();
  const check = spawnSync(sshd, ['-t', '-f', config], { encoding: 'utf8' });
  if (check.status !== 0) throw new Error(`sshd can't run here: ${check.stderr.trim()}`);

  const server = place.start(sshd, ['-D', '-e', '-f', config], { output: 'ignore' });
  try {
    await reachable(host, port, server);
  } catch (error) {
    await end(server);
    throw error;
  }
  const { username: user } = os.userInfo();
  const options = clientOptions(userKey, knownHosts);
  return { pid: server.pid, host, port, user, env, options, close: () => end(server) };
}

function configuration(host, port, hostKey, authorizedKeys) {
  return `${[
    `Port ${port}`,
    `ListenAddress ${host}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${authorizedKeys}`,
    `Ciphers ${scpCiphers.join(',')}`,
    'PidFile none',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    // The scratch folder may lie below one that everybody may write to.
    'StrictModes no',
    'Subsystem sftp internal-sftp',
    `MaxStartups ${MANY}`,
    'UseDNS no',
    'LogLevel ERROR',
  ].join('\n')}\n`;
}

function clientOptions(userKey, knownHosts) {
  const settings = [
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHosts}`,
    'GlobalKnownHostsFile=none',
  ];
  return ['-F', 'none', '-i', userKey, ...settings.flatMap((setting) => ['-o', setting])];
}

/** In a mount namespace of its own, gives sshd the folder that an installed service makes for it. */
function preparePrivilegeFolder() {
  if (process.getuid() !== 0 || fs.existsSync(PRIVILEGE_FOLDER)) return;
  if (!inside().isolated) throw new Error(`sshd needs ${PRIVILEGE_FOLDER}: mkdir ${PRIVILEGE_FOLDER}`);
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'none', '/run']);
  if (status !== 0) throw new Error(`sshd needs ${PRIVILEGE_FOLDER}: mkdir ${PRIVILEGE_FOLDER}`);
  fs.mkdirSync(PRIVILEGE_FOLDER, { mode: 0o755 });
}

/** @returns {Promise<number>} a port of this address that was free a moment ago */
function freePort(host) {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function reachable(host, port, server) {
  for (let waited = 0; waited < READY_MS; waited += READY_STEP_MS) {
    if (server.child.exitCode !== null) break;
    const open = await new Promise((resolve) => {
      const socket = net.connect(port, host, () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, READY_STEP_MS));
  }
  throw new Error(`sshd does not listen: ${server.complaint() || 'no message'}`);
}
