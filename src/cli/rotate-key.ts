/** `e2eeftp keygen --rotate`: a new key for a server, with a statement of the old one that clients follow. */
import type { OptionValues } from 'commander';
import { displayName, E2eeftpError, rotateServerKey, serverDataPaths, serverDirectory } from '../index.js';
import type { CliContext } from './context.js';
import { newPassphrase } from './new-passphrase.js';
import { passphraseSource } from './passphrase-source.js';

/** Works on the data directory of `--data`; the options are those of `keygen`. */
export async function rotate(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, env } = context;
  const isOther = ['force', 'changePassphrase', 'comment', 'newPassphraseFile'].some(
    (name) => options[name] !== undefined,
  );
  if (isOther || operands.length > 0) {
    throw new E2eeftpError(
      'E2EEFTP_INVALID_ARGUMENT',
      '--rotate takes --data DIR and options about the passphrase only',
    );
  }
  const paths = serverDataPaths(
    (options['data'] as string | undefined) ?? (env['E2EEFTP_DATA'] || serverDirectory(env)),
  );
  const none = options['passphrase'] === false;
  const passphrase = await newPassphrase(context, { none, file: undefined, isChange: false });
  try {
    const secret = passphrase === undefined ? {} : { newPassphrase: passphrase };
    const { old, identity, sequence } = await rotateServerKey(paths, {
      passphrase: passphraseSource(context),
      ...secret,
    });
    const { openssh, fingerprint } = identity.publicKey;
    if (output.json) {
      const { key: file, oldKey: oldFile, publicKey: publicFile, rotation } = paths;
      const encrypted = passphrase !== undefined;
      const replaced = old.fingerprint;
      const result = {
        file,
        publicFile,
        oldFile,
        rotation,
        publicKey: openssh,
        fingerprint,
        replaced,
        sequence,
        encrypted,
      };
      output.event({ type: 'result', verb: 'keygen', result });
      return;
    }
    output.data(openssh);
    output.note(`New key:     ${displayName(paths.key)} (${fingerprint})`);
    output.note(`Old key:     ${displayName(paths.oldKey)} (${old.fingerprint})`);
    output.note(`Statement:   ${displayName(paths.rotation)} (number ${sequence})`);
    output.note(
      'Next: start the server again. Clients that know the old key follow; those that pin it need the new one.',
    );
    output.note('Destroy the old key once the new one is in use: whoever has it can lead clients astray.');
  } finally {
    passphrase?.fill(0);
  }
}
