/** `e2eeftp revoke`: no longer lets a key log in to the server on this machine. */
import { access } from 'node:fs/promises';
import type { Command, OptionValues } from 'commander';
import { displayName, E2eeftpError, looksLikeFingerprint, revokeClient } from '../../index.js';
import { addAuthorizedFileOptions, authorizedFile } from '../authorized-file-option.js';
import type { CliContext, Verb } from '../context.js';
import { readPublicKey } from '../public-key-argument.js';

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output } = context;
  const argument = operands.join(' ');
  const which = looksLikeFingerprint(argument) ? argument : (await readPublicKey(argument)).key;
  const file = authorizedFile(options, context.env);
  const removed = (await isThere(file)) ? await revokeClient(file, which) : 0;
  const fingerprint = typeof which === 'string' ? which : which.fingerprint;
  if (removed === 0) {
    throw new E2eeftpError('E2EEFTP_NOT_FOUND', `${fingerprint} is not in ${file}`, {
      hint: 'name the right file with --data or --authorized',
    });
  }
  if (output.json) output.event({ type: 'result', verb: 'revoke', result: { removed, fingerprint, file } });
  else output.note(`May no longer log in: ${fingerprint} (${displayName(file)}; its open sessions end within seconds)`);
}

export const verb: Verb = {
  examples: [
    'e2eeftp revoke SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    'e2eeftp revoke ./client_id.pub --data /srv/e2eeftp',
  ],
  configure(command: Command): void {
    command.argument('<key|fingerprint...>', 'a public key, a file that holds one, or a fingerprint');
    addAuthorizedFileOptions(command);
  },
  run,
};
