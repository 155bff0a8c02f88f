/** scp against the private sshd. */
import fs from 'node:fs';
import { measureCommand } from '../command.mjs';
import { assertSameContent, assertSize } from '../files.mjs';

/**
 * @param {import('./sshd.mjs').Sshd} sshd
 * @param {string} cipher as `scp -c` names it
 * @param {'up' | 'down'} direction
 * @param {string} source
 * @param {string} target removed before and afterwards
 * @param {boolean} compare whether the content is compared
 * @param {{slowest?: number}} [more] see {@link measureCommand}
 * @returns {Promise<import('../rounds.mjs').Sample>}
 */
export async function scp(sshd, cipher, direction, source, target, compare, { slowest } = {}) {
  fs.rmSync(target, { force: true });
  const remote = (file) => `${sshd.user}@${sshd.host}:${file}`;
  const addresses = direction === 'up' ? [source, remote(target)] : [remote(source), target];
  const { size } = fs.statSync(source);
  try {
    const { lines: _, ...sample } = await measureCommand({
      command: 'scp',
      args: ['-q', '-P', `${sshd.port}`, '-c', cipher, ...sshd.options, ...addresses],
      env: sshd.env,
      serverPid: sshd.pid,
      forks: true,
      bytes: size,
      slowest,
    });
    if (compare) assertSameContent(source, target);
    else assertSize(target, size);
    return sample;
  } finally {
    fs.rmSync(target, { force: true });
  }
}
