import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { E2eeftpError } from '../../dist/errors.js';
import { MAX_LINE_LENGTH, parseAuthorizedClients } from '../../dist/identity/authorized-clients-text.js';
import { AuthorizedClients, authorizeClient, revokeClient } from '../../dist/identity/authorized-clients.js';
import { parseClientOptions } from '../../dist/identity/client-options.js';
import { Identity } from '../../dist/identity/identity.js';
import type { Grant } from '../../dist/storage/grant.js';
import { fullGrant } from '../../dist/storage/grant.js';
import { temporaryDirectory } from '../temporary-directory.js';

const [a, b, c] = [Identity.generate().publicKey, Identity.generate().publicKey, Identity.generate().publicKey];

function grantOf(options: string): Grant {
  const { clients, warnings } = parseAuthorizedClients(`${options} ${a.openssh} comment here`);
  if (warnings.length > 0) throw new Error(warnings[0]?.message);
  return clients.get(a.base64)?.grant as Grant;
}

test('keys in both forms, comments, blank lines and CRLF', (t) => {
  const text = `\ufeff# people\r\n\r\n${a.base64}\r\n  ${b.openssh} bob@desk  \r\n# end`;
  const { clients, warnings } = parseAuthorizedClients(text);
  t.deepEqual(warnings, []);
  t.deepEqual(
    [...clients.values()].map(({ comment, line, grant }) => ({ comment, line, grant })),
    [
      { comment: '', line: 3, grant: fullGrant },
      { comment: 'bob@desk', line: 4, grant: fullGrant },
    ],
  );
});

test('each option narrows the grant as documented', (t) => {
  t.deepEqual(grantOf('read-only'), { ...fullGrant, write: false, delete: false, overwrite: false });
  t.deepEqual(grantOf('upload-only'), { ...fullGrant, read: false, list: false, delete: false });
  t.deepEqual(grantOf('no-overwrite'), { ...fullGrant, overwrite: false });
  t.deepEqual(grantOf('no-delete'), { ...fullGrant, delete: false });
  t.is(grantOf('path="/in/acme"').path, '/in/acme');
  t.is(grantOf('path=/in/acme').path, '/in/acme');
  t.is(grantOf(String.raw`path="/in/a b, \"c\" \\d"`).path, String.raw`/in/a b, "c" \d`);
  t.is(grantOf('max-size=10G').maxSize, 10 * 2 ** 30);
  t.is(grantOf('max-size=1500').maxSize, 1500);
  t.is(grantOf('max-size=2k').maxSize, 2048);
  t.is(grantOf('user=ann').user, 'ann');
  t.is(grantOf('user="Ann B"').user, 'Ann B');
});

test('a day counts to its end in UTC; a time stamp to the second', (t) => {
  t.is(grantOf('expires=2027-01-31').expiresAt?.toISOString(), '2027-02-01T00:00:00.000Z');
  t.is(grantOf('expires=2027-01-31T12:00:00+02:00').expiresAt?.toISOString(), '2027-01-31T10:00:00.000Z');
});

test('options combine', (t) => {
  const grant = grantOf('upload-only,no-overwrite,path="/in/acme",max-size=1M,expires=2030-12-31,user=acme');
  t.deepEqual(
    { ...grant, expiresAt: null },
    {
      path: '/in/acme',
      read: false,
      write: true,
      list: false,
      delete: false,
      overwrite: false,
      maxSize: 2 ** 20,
      expiresAt: null,
      user: 'acme',
      from: null,
    },
  );
});

test('from: networks and addresses in their one form', (t) => {
  const { from } = parseClientOptions(
    'from="10.0.0.0/8, 2001:DB8::/32,192.168.1.7,::ffff:172.16.0.0/108,::1",read-only',
  );
  t.deepEqual(from, ['10.0.0.0/8', '2001:db8::/32', '192.168.1.7/32', '172.16.0.0/12', '::1/128']);
  t.deepEqual(parseClientOptions('from=192.168.1.7,no-delete').from, ['192.168.1.7/32']);
  t.is(parseClientOptions('read-only').from, null);
});

test('an option list that is not understood in full is refused', (t) => {
  const bad = [
    'from',
    'from=""',
    'from=","',
    'from="10.0.0.0/8,"',
    'from=10.0.0.0/8,192.168.1.7',
    'from="10.0.0.0/33"',
    'from="10.1.2.3/8"',
    'from="!10.0.0.0/8"',
    'from="10.0.0.0/8,!10.1.0.0/16"',
    'from="10.*"',
    'from="example.org"',
    'from="2001:db8::/129"',
    'from="::ffff:10.0.0.0/95"',
    'from="10.0.0.0/8 192.168.1.7"',
    'colour=blue',
    'read-only,',
    ',read-only',
    'read-only,,no-delete',
    'READ-ONLY',
    'read-only=1',
    'read-only,upload-only',
    'read-only,read-only',
    'path',
    'path=""',
    'path=in',
    'path="/a/../b"',
    'path="/a',
    'max-size=',
    'max-size=-1',
    'max-size=1.5G',
    'max-size=10X',
    'max-size=999999999999999T',
    'expires=2027-02-30',
    'expires=tomorrow',
    'expires=2027-01-31T12:00',
    'expires=2027-13-01',
    'user=',
    'user',
    'no-delete no-overwrite',
    'user="x"y',
    '"',
  ];
  for (const options of bad) {
    const error = t.throws(() => parseClientOptions(options), undefined, options);
    t.true(E2eeftpError.is(error, 'E2EEFTP_CONFIG'), options);
  }
});

test('a line that can’t be used is skipped with a warning that names it, and the others count', (t) => {
  const ssh = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 x';
  const text = [
    'nonsense',
    a.base64,
    `from="10.0.0.0/33" ${b.openssh}`,
    `colour=blue ${b.openssh}`,
    ssh,
    `${a.base64} again`,
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
    `${b.base64.slice(0, -2)}=`,
    `read-only ${c.base64}`,
    `\u001b[31m ${b.base64}`,
  ].join('\n');
  const { clients, warnings } = parseAuthorizedClients(text);
  t.deepEqual([...clients.keys()], [a.base64, c.base64]);
  t.deepEqual(
    warnings.map(({ line }) => line),
    [1, 3, 4, 5, 6, 7, 8, 10],
  );
  t.regex(warnings[1]?.message ?? '', /from: "10\.0\.0\.0\/33" is not a network/);
  t.regex(warnings[4]?.message ?? '', /line 2/);
  for (const { message } of warnings) t.false(message.includes('\u001b'));
});

test('of two lines with one key the first counts, even when the second allows more', (t) => {
  const { clients, warnings } = parseAuthorizedClients(`read-only ${a.openssh}\n${a.base64}\n`);
  t.false(clients.get(a.base64)?.grant.write);
  t.is(warnings.length, 1);
});

test('any text is read without throwing, and lets in only keys that are in it', (t) => {
  const token = fc.constantFrom(
    a.base64,
    a.openssh,
    'read-only',
    'upload-only,',
    'path="',
    '"',
    ' ',
    '\n',
    '\r\n',
    '#',
    ',',
    '=',
    '\\',
    'x',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(token, fc.string({ maxLength: 5 })), { maxLength: 15 }), (parts) => {
      for (const known of parseAuthorizedClients(parts.join('')).clients.keys()) t.is(known, a.base64);
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('a huge file and hostile lines take linear time', (t) => {
  const many = parseAuthorizedClients(`${`# comment\n`.repeat(100_000)}${a.base64}\n`);
  t.true(many.clients.has(a.base64));
  const hostile = [
    'a'.repeat(MAX_LINE_LENGTH),
    '"'.repeat(8000),
    'a="'.repeat(2600),
    ' '.repeat(8000),
    'ssh-ed25519 '.repeat(600),
    'A'.repeat(1_000_000),
  ];
  const { clients, warnings } = parseAuthorizedClients(hostile.join('\n'));
  t.is(clients.size, 0);
  t.is(warnings.length, hostile.length - 1);
});

test('the file is read again when it has changed, and fails closed', async (t) => {
  const path = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const warnings: number[] = [];
  const file = new AuthorizedClients(path, ({ line }) => warnings.push(line));
  t.is(await file.lookup(a), null);
  t.is(await file.lookup(a), null);
  t.deepEqual(warnings, [0], 'a missing file is told once');
  await writeFile(path, `${a.base64}\nnonsense\n`);
  t.deepEqual(await file.lookup(a), fullGrant);
  t.deepEqual(await file.lookup(a), fullGrant);
  t.deepEqual(warnings, [0, 2], 'a bad line is told once for each reading');
  await writeFile(path, `${b.base64}\n`);
  t.is(await file.lookup(a), null);
  t.deepEqual(await file.lookup(b), fullGrant);
  t.is(file.size, 1);
  await chmod(path, 0o666);
  t.deepEqual(await file.lookup(b), fullGrant);
  t.deepEqual(warnings, [0, 2, 0], 'others may change the file');
});

test('a path that can’t be read lets nobody in', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = new AuthorizedClients(directory);
  const error = await t.throwsAsync(() => file.lookup(a));
  t.true(E2eeftpError.is(error, 'E2EEFTP_IO'));
  t.is(file.size, 0);
});

test('authorize keeps what is there, replaces the key’s own line, and keeps the mode', async (t) => {
  const path = join(await temporaryDirectory(t), 'sub', 'authorized_clients.pub');
  t.is(await authorizeClient(path, a, { comment: 'ann\n@desk' }), 'added');
  t.is((await stat(path)).mode & 0o777, 0o600);
  await chmod(path, 0o640);
  await writeFile(path, `# team\n\n${await readFile(path, 'utf8')}`);
  t.is(await authorizeClient(path, b, { options: ['upload-only', 'path="/in"'] }), 'added');
  t.is(await authorizeClient(path, a, { options: ['read-only'] }), 'replaced');
  t.is(await readFile(path, 'utf8'), `# team\n\nupload-only,path="/in" ${b.openssh}\nread-only ${a.openssh}\n`);
  t.is((await stat(path)).mode & 0o777, 0o640);
  const { warnings } = parseAuthorizedClients(await readFile(path, 'utf8'));
  t.deepEqual(warnings, []);
});

test('authorize refuses options that would refuse the line', async (t) => {
  const path = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const error = await t.throwsAsync(() => authorizeClient(path, a, { options: ['colour=blue'] }));
  t.true(E2eeftpError.is(error, 'E2EEFTP_CONFIG'));
  await t.throwsAsync(() => readFile(path));
});

test('revoke takes every line of the key, also one with bad options, and nothing else', async (t) => {
  const path = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const text = `# a: ${a.base64}\n${a.base64}\ncolour=blue ${a.openssh} x\n${b.openssh}\nnonsense\n`;
  await writeFile(path, text);
  t.is(await revokeClient(path, a.fingerprint), 2);
  t.is(await readFile(path, 'utf8'), `# a: ${a.base64}\n${b.openssh}\nnonsense\n`);
  t.is(await revokeClient(path, a), 0);
  const error = await t.throwsAsync(() => revokeClient(path, 'not a fingerprint'));
  t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'));
});

test('twenty authorize calls at once lose nothing', async (t) => {
  const path = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const keys = Array.from({ length: 20 }, () => Identity.generate().publicKey);
  await Promise.all(keys.map((key) => authorizeClient(path, key)));
  t.is(parseAuthorizedClients(await readFile(path, 'utf8')).clients.size, 20);
});

test('control characters in options or comment are refused and nothing is written', async (t) => {
  const path = join(await temporaryDirectory(t), 'list');
  for (const options of [
    { options: [`user="x\n${b.openssh}"`] },
    { options: ['path="/in\u007f"'] },
    { comment: 'ann\u001b[2J' },
  ]) {
    const error = await t.throwsAsync(authorizeClient(path, a, options));
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'), error?.message);
  }
  await t.throwsAsync(stat(path), { code: 'ENOENT' });
  const error = t.throws(() => parseClientOptions('user="x\ry"'));
  t.true(E2eeftpError.is(error, 'E2EEFTP_CONFIG'));
});
