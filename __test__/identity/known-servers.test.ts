import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { Identity } from '../../dist/identity/identity.js';
import { KnownServers } from '../../dist/identity/known-servers.js';
import { parseServerName, serverName } from '../../dist/identity/server-address.js';
import { resolveServerKey } from '../../dist/identity/server-pin.js';
import { temporaryDirectory } from '../temporary-directory.js';

const [a, b] = [Identity.generate().publicKey, Identity.generate().publicKey];

test('a server has one name however it is written', (t) => {
  t.is(serverName('Files.Example.ORG.', 5001), 'files.example.org:5001');
  t.is(serverName('127.0.0.1', 22), '127.0.0.1:22');
  t.is(serverName('::1', 5001), '[::1]:5001');
  t.is(serverName('[2001:DB8:0:0::1]', 5001), '[2001:db8::1]:5001');
  t.is(serverName('fe80::0001%eth0', 5001), '[fe80::1%eth0]:5001');
  t.deepEqual(parseServerName('h:1'), { host: 'h', port: 1 });
  t.deepEqual(parseServerName('[::1]:65535'), { host: '::1', port: 65535 });
  for (const bad of ['h', 'h:', 'h:0', 'h:65536', '::1:5001', '[::1]', 'a b:1', ''])
    t.is(parseServerName(bad), null, bad);
});

test('match, changed, unknown', async (t) => {
  const known = new KnownServers(join(await temporaryDirectory(t), 'new', 'known_servers'));
  t.is((await known.lookup('h', 5001, a)).result, 'unknown');
  await known.add('H', 5001, a, 'first');
  t.is((await known.lookup('h', 5001, a)).result, 'match');
  t.is((await known.lookup('h', 5002, a)).result, 'unknown');
  const changed = await known.lookup('h.', 5001, b);
  t.is(changed.result, 'changed');
  t.deepEqual(
    changed.entries.map(({ key, line }) => [key.fingerprint, line]),
    [[a.fingerprint, 1]],
  );
  await known.add('h', 5001, b);
  t.is((await known.lookup('h', 5001, a)).result, 'match', 'a second key stands beside the first');
  t.is((await stat(known.path)).mode & 0o777, 0o600);
});

test('add is idempotent, replace leaves one, remove none; other lines stay', async (t) => {
  const path = join(await temporaryDirectory(t), 'known_servers');
  await writeFile(path, `# mine\r\n[::1]:7 ${b.base64}\r\n`);
  const known = new KnownServers(path);
  await known.add('h', 1, a);
  await known.add('h', 1, a);
  t.is((await known.find('h', 1)).length, 1);
  await known.replace('h', 1, b, 'new key');
  t.deepEqual(
    (await known.find('h', 1)).map(({ key, comment }) => [key.base64, comment]),
    [[b.base64, 'new key']],
  );
  t.is((await known.lookup('0:0::1', 7, b)).result, 'match');
  t.is(await known.remove('h', 1), 1);
  t.is(await known.remove('h', 1), 0);
  t.is(await readFile(path, 'utf8'), `# mine\n[::1]:7 ${b.base64}\n`);
});

test('a broken line is an error, not an unknown server', async (t) => {
  const path = join(await temporaryDirectory(t), 'known_servers');
  const known = new KnownServers(path);
  for (const line of ['h:1 nonsense', 'h:1', 'h', `h:99999 ${a.base64}`]) {
    await writeFile(path, `# x\n${line}\n`);
    const error = await t.throwsAsync(() => known.lookup('h', 1, a), undefined, line);
    t.true(E2eeftpError.is(error, 'E2EEFTP_KEY_FILE'), line);
    t.regex(error?.message ?? '', /line 2/);
  }
});

test('twenty additions at once lose nothing', async (t) => {
  const known = new KnownServers(join(await temporaryDirectory(t), 'known_servers'));
  await Promise.all(Array.from({ length: 20 }, (_, index) => known.add(`h${index}`, 1, a)));
  t.is((await known.entries()).length, 20);
});

test('a pin is a fingerprint, a key, a PEM file, or lines of known servers', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  };
  const pins = [
    a.fingerprint,
    a.base64,
    `${a.openssh} comment`,
    a.pem,
    await file('known_server.pub', a.pem),
    await file('id.pub', `${a.openssh} me@here\n`),
    await file('known_servers', `other:1 ${b.base64}\nh:5001 ${a.openssh}\n`),
  ];
  for (const pin of pins) t.deepEqual(await resolveServerKey(pin, 'h', 5001), [a.fingerprint], pin);
  const bad: [string, string][] = [
    ['SHA256:short', 'E2EEFTP_INVALID_ARGUMENT'],
    [join(directory, 'missing'), 'E2EEFTP_KEY_FILE'],
    [await file('other', `other:1 ${b.base64}\n`), 'E2EEFTP_KEY_FILE'],
    [await file('junk', 'junk\n'), 'E2EEFTP_KEY_FILE'],
  ];
  for (const [pin, code] of bad) {
    const error = await t.throwsAsync(() => resolveServerKey(pin, 'h', 5001), undefined, pin);
    t.true(E2eeftpError.is(error) && error.code === code, `${pin}: ${String(error)}`);
  }
});
