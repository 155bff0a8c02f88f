/** The committed receipts, taken apart by what `docs/PROTOCOL.md` §7.6 says and checked with other primitives. */
import { sha256 } from '@noble/hashes/sha2.js';
import test from 'ava';
import { readProjectFile } from '../house/project-files.js';
import { concat, fromHex, hex, text } from './byte-fields.js';
import { sshsigData, verifies } from './signing-identity.js';

interface ReceiptVector {
  name: string;
  path: string | null;
  salt: string | null;
  size: number;
  root: string;
  name_commitment: string;
  client: string;
  server: string;
  time: number;
  statement: string;
  file: string;
}

const cases = (JSON.parse(readProjectFile('testdata/vectors/receipt.json')) as { cases: ReceiptVector[] }).cases;

/** The bytes between the lines of an armor. */
const armored = (lines: string): Buffer =>
  Buffer.from(lines.replace(/-----(BEGIN|END) SSH SIGNATURE-----/g, '').replaceAll('\n', ''), 'base64');

test('a statement says what stands beside it, and the server has signed it', (t) => {
  t.is(cases.length, 2);
  for (const vector of cases) {
    const key = (blob: string): string => Buffer.from(blob, 'hex').toString('base64');
    const [first, id, direction, ...rest] = vector.statement.split('\n');
    t.is(first, 'e2eeftp-receipt 1');
    t.regex(id ?? '', /^id [0-9a-f]{32}$/);
    t.regex(direction ?? '', /^direction (send|get)$/);
    const kind = vector.name === 'plain' ? 'ssh-ed25519' : 'sk-ssh-ed25519@openssh.com';
    t.deepEqual(rest, [
      `size ${vector.size}`,
      `root ${vector.root}`,
      `name-commitment ${vector.name_commitment}`,
      `client ${kind} ${key(vector.client)}`,
      `server ssh-ed25519 ${key(vector.server)}`,
      `time ${new Date(vector.time * 1000).toISOString().replace('.000Z', 'Z')}`,
      '',
    ]);
    t.true(vector.file.startsWith(vector.statement));
    const [client = '', server = ''] = (vector.file.split('client-signature\n')[1] ?? '').split('server-signature\n');
    const data = sshsigData('receipt@e2eeftp', text(vector.statement));
    // Both keys end with the 32 bytes of the point, and both plain signatures with their 64.
    t.true(verifies(fromHex(vector.server).slice(-32), data, armored(server).subarray(-64)));
    if (vector.name === 'plain')
      t.true(verifies(fromHex(vector.client).slice(-32), data, armored(client).subarray(-64)));
  }
});

test('the commitment is that of path and salt', (t) => {
  const revealed = cases.filter(({ path }) => path !== null);
  t.is(revealed.length, 1);
  for (const { path: name, salt: hider, name_commitment: commitment, file } of revealed) {
    const [path, salt] = [name ?? '', hider ?? ''];
    const [bytes, hiding] = [fromHex(path), fromHex(salt)];
    t.is(hex(sha256(concat(text('e2eeftp/1 receipt name\0'), hiding, bytes))), commitment);
    const [, escaped = ''] = /^name (.*)$/m.exec(file) ?? [''];
    t.is(Buffer.from(decodeURIComponent(escaped)).toString('hex'), path);
    t.is(/^salt (.*)$/m.exec(file)?.[1], salt);
  }
});
