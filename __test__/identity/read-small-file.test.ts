import { execFileSync } from 'node:child_process';
import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, type ErrorCode } from '../../dist/errors.js';
import { AuthorizedClients, authorizeClient, revokeClient } from '../../dist/identity/authorized-clients.js';
import { Identity } from '../../dist/identity/identity.js';
import { KnownServers } from '../../dist/identity/known-servers.js';
import { readSmallFile, UnfitFileError } from '../../dist/identity/read-small-file.js';
import { readRotationFile } from '../../dist/identity/rotation.js';
import { openServerData } from '../../dist/identity/server-data.js';
import { resolveServerKey } from '../../dist/identity/server-pin.js';
import { temporaryDirectory } from '../temporary-directory.js';

test('a file is read whole up to its limit, one without a size as well', async (t) => {
  const path = join(await temporaryDirectory(t), 'file');
  for (const length of [0, 1, 4096]) {
    await writeFile(path, 'x'.repeat(length));
    await chmod(path, 0o640);
    const { bytes, mode } = await readSmallFile(path, 4096);
    t.is(bytes.toString(), 'x'.repeat(length));
    t.is(mode & 0o777, 0o640);
  }
  await writeFile(path, 'x'.repeat(4097));
  await t.throwsAsync(readSmallFile(path, 4096), {
    instanceOf: UnfitFileError,
    message: 'it is longer than 4096 bytes',
  });
  if (process.platform !== 'linux') return;
  const words = [
    '-e',
    "process.stdout.write(require('fs').readFileSync('/proc/cpuinfo', 'utf8').replace(/MHz.*/g, ''))",
  ];
  const expected = execFileSync(process.execPath, words, { encoding: 'utf8' });
  const { bytes } = await readSmallFile('/proc/cpuinfo', 2 ** 24);
  t.is(bytes.toString().replace(/MHz.*/g, ''), expected);
  await t.throwsAsync(readSmallFile('/proc/cpuinfo', 8), { instanceOf: UnfitFileError });
});

test('what is no regular file is refused at once, wherever a key or a list is wanted', async (t) => {
  const dir = await temporaryDirectory(t);
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const { publicKey } = Identity.generate();
  const readers: [code: ErrorCode, read: (path: string) => Promise<unknown>][] = [
    ['E2EEFTP_IO', (path) => new AuthorizedClients(path).refresh()],
    ['E2EEFTP_IO', (path) => authorizeClient(path, publicKey)],
    ['E2EEFTP_IO', (path) => revokeClient(path, publicKey)],
    ['E2EEFTP_KEY_FILE', (path) => new KnownServers(path).entries()],
    ['E2EEFTP_KEY_FILE', (path) => Identity.load(path)],
    ['E2EEFTP_KEY_FILE', (path) => resolveServerKey(path, 'host', 1)],
    ['E2EEFTP_KEY_FILE', (path) => readRotationFile(path)],
  ];
  for (const [index, [code, read]] of readers.entries()) {
    for (const [path, why] of [
      [pipe, /: it is not a regular file$/],
      [dir, /: it is a directory$/],
    ] as const) {
      const error = await t.throwsAsync(read(path), { message: why }, `${index} ${path}`);
      t.true(E2eeftpError.is(error, code), `${index}: ${String(error)}`);
    }
  }
});

test('a pipe in the data directory of a server does not hold it up', async (t) => {
  for (const name of ['server_id.key', 'known_server.pub', 'server_id.rotation']) {
    const dir = await temporaryDirectory(t);
    await openServerData(dir);
    execFileSync('rm', ['-f', join(dir, name)]);
    execFileSync('mkfifo', [join(dir, name)]);
    const error = await t.throwsAsync(openServerData(dir), { message: /: it is not a regular file$/ });
    t.true(E2eeftpError.is(error, 'E2EEFTP_KEY_FILE'), String(error));
  }
});

test('a list that becomes a pipe lets nobody in until it is a file again', async (t) => {
  const dir = await temporaryDirectory(t);
  const [path, aside] = [join(dir, 'list'), join(dir, 'aside')];
  const { publicKey } = Identity.generate();
  await authorizeClient(path, publicKey);
  const clients = new AuthorizedClients(path);
  t.truthy(await clients.lookup(publicKey));
  await rename(path, aside);
  execFileSync('mkfifo', [path]);
  await t.throwsAsync(clients.lookup(publicKey), { message: /not a regular file/ });
  t.is(clients.known(publicKey), null);
  t.false(clients.isReadable);
  await rename(aside, path);
  t.truthy(await clients.lookup(publicKey));
});
