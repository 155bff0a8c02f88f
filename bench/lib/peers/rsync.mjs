/** rsync over the private sshd. */
import fs from 'node:fs';
import { measureCommand } from '../command.mjs';
import { assertSameContent, assertSize } from '../files.mjs';
import { findProgram } from '../paths.mjs';
import { scpCiphers } from './sshd.mjs';

/** Why rsync can't be measured, or null. */
export function rsyncMissing() {
  return findProgram('rsync') === null ? 'no rsync here: apt-get install rsync' : null;
}

/**
 * The command that copies one file. Its ssh uses the fastest of the ciphers that are compared.
 *
 * @param {import('./sshd.mjs').Sshd} sshd
 * @param {'up' | 'down'} direction
 * @param {string} source
 * @param {string} target
 * @param {string[]} options
 * @returns {{command: string, args: string[], env: NodeJS.ProcessEnv}}
 */
export function rsyncCommand(sshd, direction, source, target, options) {
  // rsync splits this text at blanks: the scratch folders have none in their names.
  const shell = ['ssh', '-p', `${sshd.port}`, '-c', scpCiphers[0], ...sshd.options].join(' ');
  const remote = (file) => `${sshd.user}@${sshd.host}:${file}`;
  const addresses = direction === 'up' ? [source, remote(target)] : [remote(source), target];
  return { command: 'rsync', args: ['-t', ...options, '-e', shell, ...addresses], env: sshd.env };
}

/**
 * Copies a file into a new one, or with `keep` brings an existing one up to date.
 *
 * @param {import('./sshd.mjs').Sshd} sshd
 * @param {'up' | 'down'} direction
 * @param {string} source
 * @param {string} target removed before and afterwards, unless it is kept
 * @param {boolean} compare whether the content is compared
 * @param {{keep?: boolean, slowest?: number, options?: string[]}} [more]
 * @returns {Promise<import('../rounds.mjs').Sample & {lines: string[]}>} with what it printed
 */
export async function rsync(sshd, direction, source, target, compare, { keep = false, slowest, options = [] } = {}) {
  if (!keep) fs.rmSync(target, { force: true });
  const { size } = fs.statSync(source);
  try {
    const sample = await measureCommand({
      ...rsyncCommand(sshd, direction, source, target, options),
      serverPid: sshd.pid,
      forks: true,
      bytes: size,
      slowest,
    });
    if (compare) assertSameContent(source, target);
    else assertSize(target, size);
    return sample;
  } finally {
    if (!keep) fs.rmSync(target, { force: true });
  }
}
