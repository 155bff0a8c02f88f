/** The npm package ssh2 on both sides: its client against a small SFTP server made with it. */
import fs from 'node:fs';
import { measureCommand } from '../command.mjs';
import { assertSameContent, assertSize } from '../files.mjs';
import { programPath } from '../paths.mjs';
import { cleanEnvironment, end, start } from '../processes.mjs';

/** The fastest cipher that ssh2 has where it uses the OpenSSL of Node. */
export const ssh2Cipher = 'aes128-gcm@openssh.com';

/**
 * @typedef {object} Ssh2Server
 * @property {number} pid
 * @property {number} port
 * @property {NodeJS.ProcessEnv} env
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} folder made here, for its home
 * @returns {Promise<Ssh2Server>}
 */
export async function startSsh2Server(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const env = cleanEnvironment(folder);
  const server = start(process.execPath, [programPath('ssh2-server.mjs'), ssh2Cipher], { env });
  try {
    const { port } = JSON.parse(await server.line(0));
    return { pid: server.pid, port, env, close: () => end(server) };
  } catch (error) {
    await end(server);
    throw error;
  }
}

/**
 * @param {Ssh2Server} server
 * @param {'up' | 'down'} direction
 * @param {string} source
 * @param {string} target removed before and afterwards
 * @param {boolean} compare whether the content is compared
 * @returns {Promise<import('../rounds.mjs').Sample>}
 */
export async function ssh2Copy(server, direction, source, target, compare) {
  fs.rmSync(target, { force: true });
  const { size } = fs.statSync(source);
  const [local, remote] = direction === 'up' ? [source, target] : [target, source];
  try {
    const { lines, ...sample } = await measureCommand({
      command: process.execPath,
      args: [programPath('ssh2-client.mjs'), direction, `${server.port}`, local, remote, ssh2Cipher],
      env: server.env,
      serverPid: server.pid,
      bytes: size,
    });
    if (compare) assertSameContent(source, target);
    else assertSize(target, size);
    return { ...sample, transferSeconds: JSON.parse(lines[0]).seconds };
  } finally {
    fs.rmSync(target, { force: true });
  }
}
