import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { fingerprintWords } from '../../dist/identity/fingerprint-words.js';
import { Identity } from '../../dist/identity/identity.js';
import { randomart } from '../../dist/identity/randomart.js';
import { temporaryDirectory } from '../temporary-directory.js';

test('the picture is the one that ssh-keygen draws', async (t) => {
  const directory = await temporaryDirectory(t);
  for (let index = 0; index < 20; index += 1) {
    const { publicKey } = Identity.generate();
    const file = join(directory, `${index}.pub`);
    await writeFile(file, `${publicKey.openssh}\n`);
    const [, ...expected] = execFileSync('ssh-keygen', ['-lv', '-f', file], { encoding: 'utf8' }).trimEnd().split('\n');
    t.deepEqual([...randomart(publicKey.fingerprint)], expected);
  }
});

test('a bishop who reaches an edge stays on the board', (t) => {
  const art = randomart(`SHA256:${Buffer.alloc(32).toString('base64')}`);
  t.is(art.length, 11);
  t.is(art[1], '|E....            |');
  t.true(art.every((line) => line.length === 19));
});

test('twelve words of the list stand for the first 128 bits, and the last one checks the others', async (t) => {
  // The BIP-39 test vector for sixteen bytes 0x7f.
  const vector = `SHA256:${Buffer.alloc(32, 0x7f).toString('base64').replace('=', '')}`;
  t.is(
    (await fingerprintWords(vector)).join(' '),
    'legal winner thank year wave sausage worth useful legal winner thank yellow',
  );
  const words = await fingerprintWords(Identity.generate().publicKey.fingerprint);
  t.is(words.length, 12);
  const { wordlist } = await import('@scure/bip39/wordlists/english.js');
  const bits = words.map((word) => wordlist.indexOf(word).toString(2).padStart(11, '0')).join('');
  const bytes = Buffer.from(
    Array.from({ length: 16 }, (_, index) => Number.parseInt(bits.slice(index * 8, index * 8 + 8), 2)),
  );
  const check = createHash('sha256').update(bytes).digest()[0] ?? 0;
  t.is(Number.parseInt(bits.slice(128), 2), check >> 4);
});
