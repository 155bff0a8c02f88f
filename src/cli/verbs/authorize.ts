/** `e2eeftp authorize`: lets a key log in to the server on this machine. */
import type { Command, OptionValues } from 'commander';
import { authorizeClient, displayName } from '../../index.js';
import { addAuthorizedFileOptions, authorizedFile } from '../authorized-file-option.js';
import type { CliContext, Verb } from '../context.js';
import { readPublicKey } from '../public-key-argument.js';

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output } = context;
  // An unquoted key line arrives as several words.
  const { key, comment } = await readPublicKey(operands.join(' '));
  const file = authorizedFile(options, context.env);
  const clientOptions = (options['option'] as string[] | undefined) ?? [];
  const action = await authorizeClient(file, key, { options: clientOptions, comment });
  const { fingerprint, openssh } = key;
  if (output.json) {
    const result = { action, fingerprint, publicKey: openssh, comment, options: clientOptions, file };
    output.event({ type: 'result', verb: 'authorize', result });
    return;
  }
  const done = action === 'added' ? 'May log in now' : 'Was there already; has the options given now';
  output.note(`${done}: ${fingerprint}${comment === '' ? '' : ` (${displayName(comment)})`}`);
  if (clientOptions.length > 0) output.note(`Options: ${displayName(clientOptions.join(', '))}`);
  output.note(`File: ${displayName(file)} (a running server takes it up by itself)`);
}

export const verb: Verb = {
  examples: [
    "e2eeftp authorize 'ssh-ed25519 AAAA… laptop'",
    'e2eeftp authorize ./client_id.pub --option upload-only --option \'path="/in"\'',
  ],
  configure(command: Command): void {
    command.argument('<key|file...>', 'a public key, or a file that holds one');
    addAuthorizedFileOptions(command).option(
      '--option <option>',
      'read-only, upload-only, no-overwrite, no-delete, path="/dir", max-size=10G, expires=2027-01-31, user=NAME, from="10.0.0.0/8,2001:db8::1"; repeatable',
      (value: string, previous: string[] | undefined) => [...(previous ?? []), value],
    );
  },
  run,
};
