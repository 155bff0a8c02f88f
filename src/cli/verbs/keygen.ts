/** `e2eeftp keygen`: makes a key pair. */
import { stat } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Command, OptionValues } from 'commander';
import { clientDirectory, displayName, E2eeftpError, Identity, writeAtomically } from '../../index.js';
import type { CliContext, Verb } from '../context.js';

/** `client_id.key` has its public half in `client_id.pub`, `mine` in `mine.pub`. */
export function publicKeyFile(file: string): string {
  return `${file.replace(/\.key$/, '')}.pub`;
}

function defaultComment(): string {
  let user = 'user';
  try {
    user = userInfo().username;
  } catch {
    // A user id without an entry in the user database has no name.
  }
  return `${user}@${hostname()}`;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, env } = context;
  if (options['passphraseFile'] !== undefined) {
    throw new E2eeftpError('E2EEFTP_UNSUPPORTED', 'keys with a passphrase are not supported yet', {
      hint: 'leave out --passphrase-file; the key file is readable by you only (0600)',
    });
  }
  const file = operands[0] ?? join(clientDirectory(env), 'client_id.key');
  const comment = (options['comment'] as string | undefined) ?? defaultComment();
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(comment)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a comment is one line without control characters');
  }
  const overwrite = options['force'] === true;
  const publicFile = publicKeyFile(file);
  if (!overwrite) {
    for (const taken of [file, publicFile]) {
      if (!(await exists(taken))) continue;
      throw new E2eeftpError('E2EEFTP_EXISTS', `${taken} exists already`, {
        hint: 'name another file, or replace the key for good with --force',
      });
    }
  }
  const identity = Identity.generate();
  const { openssh, fingerprint, base64 } = identity.publicKey;
  const line = `${openssh} ${comment}`.trimEnd();
  await identity.save(file, { comment, overwrite });
  await writeAtomically(publicFile, `${line}\n`, { mode: 0o644, overwrite });
  if (output.json) {
    const result = { file, publicFile, publicKey: openssh, base64, fingerprint, comment };
    output.event({ type: 'result', verb: 'keygen', result });
    return;
  }
  output.data(line);
  output.note(`Private key: ${displayName(file)} (0600: keep it to yourself)`);
  output.note(`Public key:  ${displayName(publicFile)} (the line above)`);
  output.note(`Fingerprint: ${fingerprint}`);
  output.note("Next: on the server's machine, e2eeftp authorize 'ssh-ed25519 …' with that line.");
}

export const verb: Verb = {
  examples: ['e2eeftp keygen', 'e2eeftp keygen ./backup.key --comment backup@laptop'],
  configure(command: Command): void {
    command
      .argument('[file]', "where the private key goes (default: client_id.key in your configuration's directory)")
      .option('--comment <text>', 'text at the end of the public line (default: user@host)')
      .option('--no-passphrase', 'do not protect the key by a passphrase (the only way at present)')
      .option('--passphrase-file <file>', 'not supported yet')
      .option('--force', 'replace a key that is there');
  },
  run,
};
