/** OpenSSH's sftp against the private sshd: one file, from its start or from where it ended. */
import fs from 'node:fs';
import { findProgram } from '../paths.mjs';
import { scpCiphers } from './sshd.mjs';

/** Why sftp can't be measured, or null. */
export function sftpMissing() {
  return findProgram('sftp') === null ? 'no sftp here: apt-get install openssh-client' : null;
}

/**
 * @param {import('./sshd.mjs').Sshd} sshd
 * @param {'up' | 'down'} direction
 * @param {string} source
 * @param {string} target
 * @param {boolean} resume whether it goes on where the target ends
 * @param {string} batch file for its commands, written here
 * @returns {{command: string, args: string[], env: NodeJS.ProcessEnv}}
 */
export function sftpCommand(sshd, direction, source, target, resume, batch) {
  const verb = `${resume ? 're' : ''}${direction === 'up' ? 'put' : 'get'}`;
  fs.writeFileSync(batch, `${verb} "${source}" "${target}"\n`);
  const args = ['-q', '-P', `${sshd.port}`, '-c', scpCiphers[0], ...sshd.options, '-b', batch];
  return { command: 'sftp', args: [...args, `${sshd.user}@${sshd.host}`], env: sshd.env };
}
