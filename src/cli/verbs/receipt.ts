/** `e2eeftp receipt verify`: checks a receipt without asking anybody. */
import { Argument, type Command, type OptionValues } from 'commander';
import {
  displayName,
  E2eeftpError,
  isFingerprint,
  KnownServers,
  looksLikeFingerprint,
  looksLikePublicKey,
  parsePublicKey,
  type Receipt,
  verifyReceipt,
} from '../../index.js';
import { readSmallFile, UnfitFileError } from '../../identity/read-small-file.js';
import type { CliContext, Verb } from '../context.js';
import { formatBytes } from '../human-units.js';
import { readPublicKey } from '../public-key-argument.js';

const MAX_FILE = 32 * 1024;

async function readText(file: string): Promise<string> {
  try {
    return (await readSmallFile(file, MAX_FILE)).bytes.toString('utf8');
  } catch (cause) {
    if (!(cause instanceof UnfitFileError)) throw cause;
    throw new E2eeftpError('E2EEFTP_RECEIPT', `${file}: ${cause.message}`, { cause });
  }
}

/** The fingerprints that an option allows: its own, that of a key or a key file, or all of a file of known servers. */
async function fingerprintsOf(given: string): Promise<readonly string[]> {
  if (looksLikeFingerprint(given)) {
    if (isFingerprint(given)) return [given];
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a fingerprint is SHA256: and 43 characters of base64');
  }
  if (looksLikePublicKey(given)) return [parsePublicKey(given).fingerprint];
  // What is no such file may be one with a key: that is read, or told to be neither.
  const known = await new KnownServers(given).entries().catch(() => []);
  if (known.length > 0) return known.map((entry) => entry.key.fingerprint);
  return [(await readPublicKey(given)).key.fingerprint];
}

function tell(
  context: CliContext,
  receipt: Receipt,
  checked: { server: boolean; client: boolean; file?: string },
): void {
  const { output } = context;
  const { direction, bytes, root, path, clientKey, serverKey, time, id } = receipt;
  const way = direction === 'send' ? 'the client sent it to the server' : 'the client got it from the server';
  const pinned = (isChecked: boolean, option: string): string =>
    isChecked ? 'the expected one' : `not compared: ${option}`;
  output.data(`receipt  ${id}: both signatures are good`);
  output.data(`time     ${time.toISOString().replace('.000Z', 'Z')}`);
  output.data(`way      ${direction}: ${way}`);
  output.data(`name     ${path === null ? 'withheld' : displayName(path)}`);
  output.data(`size     ${bytes} (${formatBytes(bytes)})`);
  output.data(`BLAKE3   ${root}`);
  output.data(`client   ${clientKey.fingerprint} (${pinned(checked.client, '--client-key')})`);
  output.data(`server   ${serverKey.fingerprint} (${pinned(checked.server, '--server-key')})`);
  if (checked.file !== undefined) output.data(`file     ${displayName(checked.file)} has this size and this root`);
}

async function run(context: CliContext, [, file = '']: string[], options: OptionValues): Promise<void> {
  const { output, globals, signal } = context;
  const local = options['file'] as string | undefined;
  const clientKey = options['clientKey'] as string | undefined;
  const text = await readText(file);
  // Hashing takes as long as it takes; nobody is on the other side who could be too slow.
  context.pauseTimeout();
  const receipt = await verifyReceipt(text, {
    ...(globals.serverKey === undefined ? {} : { serverKeys: await fingerprintsOf(globals.serverKey) }),
    ...(clientKey === undefined ? {} : { clientKeys: await fingerprintsOf(clientKey) }),
    ...(local === undefined ? {} : { file: local }),
    signal,
  });
  const checked = { server: globals.serverKey !== undefined, client: clientKey !== undefined };
  if (!output.json) {
    tell(context, receipt, { ...checked, ...(local === undefined ? {} : { file: local }) });
    return;
  }
  const { id, direction, path, bytes, root, time } = receipt;
  const keys = { clientKey: receipt.clientKey.fingerprint, serverKey: receipt.serverKey.fingerprint };
  const signedAt = time.toISOString();
  const compared = { serverKey: checked.server, clientKey: checked.client, file: local ?? null };
  const result = { file, id, direction, path, bytes, root, ...keys, signedAt, compared };
  output.event({ type: 'result', verb: 'receipt', result });
}

export const verb: Verb = {
  examples: [
    'e2eeftp receipt verify report.receipt',
    'e2eeftp receipt verify report.receipt --server-key SHA256:… --file report.pdf',
  ],
  configure(command: Command): void {
    command
      .usage('[options] verify <file>')
      .addArgument(new Argument('<action>', 'verify: check a receipt without asking anybody').choices(['verify']))
      .argument('<file>', 'the file of a receipt')
      .option('--file <local>', 'a file on this machine that must have its size and its root')
      .option('--client-key <key>', "the client's key that it must bear: a fingerprint, a key, or a file with one");
  },
  run,
};
