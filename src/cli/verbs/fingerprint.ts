/** `e2eeftp fingerprint`: shows the fingerprint of a key, as `ssh-keygen -l` writes it, as words, or as a picture. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command, OptionValues } from 'commander';
import { clientDirectory, fingerprintWords, randomart } from '../../index.js';
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

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output } = context;
  const [argument] = operands;
  const found =
    argument === undefined ? await readPublicKeyFile(await ownKeyFile(context)) : await readPublicKey(argument);
  const { fingerprint, openssh, base64 } = found.key;
  const words = await fingerprintWords(fingerprint);
  const art = randomart(fingerprint, openssh.startsWith('sk-') ? 'ED25519-SK' : 'ED25519');
  if (output.json) {
    const forms = { fingerprint, words, art, publicKey: openssh, base64 };
    const result = { ...forms, comment: found.comment, file: found.file ?? null };
    output.event({ type: 'result', verb: 'fingerprint', result });
    return;
  }
  output.data(fingerprint);
  if (options['words'] === true) output.data(words.join(' '));
  if (options['art'] === true) for (const line of art) output.data(line);
}

export const verb: Verb = {
  examples: ['e2eeftp fingerprint', 'e2eeftp fingerprint --words /var/lib/e2eeftp/known_server.pub'],
  configure(command: Command): void {
    command
      .argument('[file|key]', 'a key, a file with a public or private key, or - for standard input (default: your own)')
      .option('--words', 'also twelve words, to be read aloud')
      .option('--art', 'also the picture that ssh-keygen -lv draws');
  },
  run,
};
