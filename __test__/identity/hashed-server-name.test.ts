import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { hashServerName, isHashedServerName, isHashOfServerName } from '../../dist/identity/hashed-server-name.js';
import { Identity } from '../../dist/identity/identity.js';
import { KnownServers } from '../../dist/identity/known-servers.js';
import { temporaryDirectory } from '../temporary-directory.js';

const [a, b] = [Identity.generate().publicKey, Identity.generate().publicKey];

test('a hash is of one name, salted anew each time', (t) => {
  const hashed = hashServerName('h:5001');
  t.true(isHashedServerName(hashed));
  t.not(hashServerName('h:5001'), hashed);
  t.true(isHashOfServerName(hashed, 'h:5001'));
  for (const other of ['h:5002', 'H:5001', 'h', '', hashed]) t.false(isHashOfServerName(hashed, other), other);
  for (const bad of ['|1|', '|1|a|b', hashed.slice(1), `${hashed}x`, hashed.replace('|1|', '|2|'), 'h:1']) {
    t.false(isHashedServerName(bad), bad);
    t.false(isHashOfServerName(bad, 'h:5001'), bad);
  }
});

test('it is the hash that OpenSSH makes', async (t) => {
  const file = join(await temporaryDirectory(t), 'known_hosts');
  await writeFile(file, `files.example.org ${a.openssh}\n`);
  execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
  const [hashed = ''] = (await readFile(file, 'utf8')).split(' ');
  t.true(isHashOfServerName(hashed, 'files.example.org'));
  await writeFile(file, `${hashServerName('files.example.org')} ${b.openssh}\n`);
  t.regex(execFileSync('ssh-keygen', ['-F', 'files.example.org', '-f', file], { encoding: 'utf8' }), /found: line 1/);
});

test('hashed lines are found, compared, replaced and removed like others', async (t) => {
  const path = join(await temporaryDirectory(t), 'known_servers');
  const known = new KnownServers(path, { hash: true });
  await known.add('files.example.org', 5001, a, 'office');
  await known.add('files.example.org', 5001, a);
  const text = await readFile(path, 'utf8');
  t.regex(text, /^\|1\|\S+\|\S+ ssh-ed25519 \S+ office\n$/);
  t.false(text.includes('example'));
  t.is((await known.lookup('Files.Example.org.', 5001, a)).result, 'match');
  const changed = await known.lookup('files.example.org', 5001, b);
  t.is(changed.result, 'changed');
  t.like(changed.entries[0], { host: null, port: null, line: 1, comment: 'office' });
  t.is((await known.lookup('files.example.org', 5002, a)).result, 'unknown');
  await known.replace('files.example.org', 5001, b);
  t.is((await known.lookup('files.example.org', 5001, b)).result, 'match');
  t.is(await known.remove('files.example.org', 5001), 1);
  t.is(await readFile(path, 'utf8'), '');
});

test('hashing a file changes the names only', async (t) => {
  const path = join(await temporaryDirectory(t), 'known_servers');
  const hashed = hashServerName('old:1');
  await writeFile(path, `# mine\n\n  [2001:DB8:0::1]:7   ${a.base64}\tmy  comment\n${hashed} ${b.openssh}\n`);
  const known = new KnownServers(path);
  t.is(await known.hashNames(), 1);
  const text = await readFile(path, 'utf8');
  t.regex(text, new RegExp(`^# mine\n\n {2}\\|1\\|\\S+   ${a.base64.replace(/[+]/g, String.raw`\+`)}\tmy  comment\n`));
  t.true(text.endsWith(`${hashed} ${b.openssh}\n`));
  t.is((await known.lookup('2001:db8::1', 7, a)).result, 'match');
  t.is((await known.lookup('old', 1, b)).result, 'match');
  t.is(await known.hashNames(), 0);
  t.is(await readFile(path, 'utf8'), text);
});
