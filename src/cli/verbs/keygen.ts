/** `e2eeftp keygen`: makes a key pair, or changes the passphrase of one. */
import { stat } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Command, OptionValues } from 'commander';
import {
  clientDirectory,
  displayName,
  E2eeftpError,
  Identity,
  type SaveOptions,
  writeAtomically,
} from '../../index.js';
import type { CliContext, Verb } from '../context.js';
import { newPassphrase, type NewPassphraseOptions } from '../new-passphrase.js';
import { passphraseSource } from '../passphrase-source.js';
import { rotate } from '../rotate-key.js';
import { publicKeyFile } from '../public-key-file.js';

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

/** What a run has written. */
interface Written {
  file: string;
  publicFile: string;
  identity: Identity;
  comment: string;
  isEncrypted: boolean;
}

function commentFrom(options: OptionValues, fallback: () => string): string {
  const comment = (options['comment'] as string | undefined) ?? fallback();
  // oxlint-disable-next-line no-control-regex
  if (!/[\u0000-\u001f\u007f]/.test(comment)) return comment;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a comment is one line without control characters');
}

function passphraseOptions(context: CliContext, options: OptionValues, isChange: boolean): NewPassphraseOptions {
  const none = options['passphrase'] === false;
  const file = options['newPassphraseFile'] as string | undefined;
  const given = file ?? (isChange ? undefined : context.globals.passphraseFile);
  if (none && given !== undefined) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a file with a passphrase and --no-passphrase contradict');
  }
  if (file !== undefined && !isChange) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', '--new-passphrase-file is for --change-passphrase', {
      hint: 'a new key takes its passphrase from --passphrase-file',
    });
  }
  return { none, file, isChange };
}

async function save(
  identity: Identity,
  file: string,
  options: SaveOptions,
  passphrase: Buffer | undefined,
): Promise<void> {
  try {
    await identity.save(file, passphrase === undefined ? options : { ...options, passphrase });
  } finally {
    passphrase?.fill(0);
  }
}

async function makeKey(context: CliContext, file: string, options: OptionValues): Promise<Written> {
  const comment = commentFrom(options, defaultComment);
  const source = passphraseOptions(context, options, false);
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
  const passphrase = await newPassphrase(context, source);
  const identity = Identity.generate();
  await save(identity, file, { comment, overwrite }, passphrase);
  const line = `${identity.publicKey.openssh} ${comment}`.trimEnd();
  await writeAtomically(publicFile, `${line}\n`, { mode: 0o644, overwrite });
  return { file, publicFile, identity, comment, isEncrypted: passphrase !== undefined };
}

async function changePassphrase(context: CliContext, file: string, options: OptionValues): Promise<Written> {
  const source = passphraseOptions(context, options, true);
  const identity = await Identity.load(file, passphraseSource(context));
  // A file that another program wrote may have any bytes there.
  const comment = commentFrom(options, () => identity.comment.replace(/\p{Cc}/gu, ' '));
  const passphrase = await newPassphrase(context, source);
  await save(identity, file, { comment, overwrite: true }, passphrase);
  return { file, publicFile: publicKeyFile(file), identity, comment, isEncrypted: passphrase !== undefined };
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, env } = context;
  if (options['rotate'] === true) return rotate(context, operands, options);
  if (options['data'] !== undefined) {
    throw new E2eeftpError(
      'E2EEFTP_INVALID_ARGUMENT',
      '--data is for --rotate; a server makes its first key by itself',
    );
  }
  const file = operands[0] ?? join(clientDirectory(env), 'client_id.key');
  const isChange = options['changePassphrase'] === true;
  const written = await (isChange ? changePassphrase : makeKey)(context, file, options);
  const { publicFile, comment, isEncrypted: encrypted } = written;
  const { openssh, fingerprint, base64 } = written.identity.publicKey;
  if (output.json) {
    const result = { file, publicFile, publicKey: openssh, base64, fingerprint, comment, encrypted };
    output.event({ type: 'result', verb: 'keygen', result });
    return;
  }
  output.data(`${openssh} ${displayName(comment)}`.trimEnd());
  const protection = encrypted ? '0600, with a passphrase' : '0600, without a passphrase: keep it to yourself';
  output.note(`Private key: ${displayName(file)} (${protection})`);
  if (!isChange) output.note(`Public key:  ${displayName(publicFile)} (the line above)`);
  output.note(`Fingerprint: ${fingerprint}`);
  if (isChange) return;
  output.note("Next: on the server's machine, e2eeftp authorize 'ssh-ed25519 …' with that line.");
}

export const verb: Verb = {
  examples: ['e2eeftp keygen ./backup.key --comment backup@laptop', 'e2eeftp keygen --rotate --data /var/lib/e2eeftp'],
  configure(command: Command): void {
    command
      .argument('[file]', "where the private key goes (default: client_id.key in your configuration's directory)")
      .option('--comment <text>', 'text at the end of the public line (default: user@host)')
      .option('--no-passphrase', 'do not protect the key by a passphrase, and do not ask for one')
      .option('--force', 'replace a key that is there')
      .option('-p, --change-passphrase', 'make no key: give the one in FILE another passphrase, or none')
      .option('--new-passphrase-file <file>', 'with -p: its first line is the new passphrase')
      .option('--rotate', 'give the server of a data directory a new key, and let the old one sign that it follows')
      .option('--data <dir>', "with --rotate: the server's data directory");
  },
  run,
};
