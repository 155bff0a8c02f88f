/** `e2eeftp fingerprint`: shows the fingerprint of a key, as `ssh-keygen -l` writes it. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { clientDirectory } from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { readPublicKey, readPublicKeyFile } from '../public-key-argument.js';
import { publicKeyFile } from '../public-key-file.js';

/** The public file needs no access to the private one; without it the private key will do. */
async function ownKeyFile(context: CliContext): Promise<string> {
  const file = context.globals.identity?.[0] ?? join(clientDirectory(context.env), 'client_id.key');
  const publicFile = publicKeyFile(file);
  return access(publicFile).then(
    () => publicFile,
    () => file,
  );
}

async function run(context: CliContext, operands: string[]): Promise<void> {
  const { output } = context;
  const [argument] = operands;
  const found =
    argument === undefined ? await readPublicKeyFile(await ownKeyFile(context)) : await readPublicKey(argument);
  const { fingerprint, openssh, base64 } = found.key;
  if (output.json) {
    const result = { fingerprint, publicKey: openssh, base64, comment: found.comment, file: found.file ?? null };
    output.event({ type: 'result', verb: 'fingerprint', result });
  } else {
    output.data(fingerprint);
  }
}

export const verb: Verb = {
  examples: ['e2eeftp fingerprint', 'e2eeftp fingerprint /var/lib/e2eeftp/known_server.pub'],
  configure(command: Command): void {
    command.argument('[file|key]', 'a key, or a file with a public or private key (default: your own)');
  },
  run,
};
