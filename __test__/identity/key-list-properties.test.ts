// Key lists are written by people and by programs, and decide who gets in: any text must either be
// understood or refuse the line, and a line that is refused must be told.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { E2eeftpError } from '../../dist/errors.js';
import { MAX_LINE_LENGTH, parseAuthorizedClients } from '../../dist/identity/authorized-clients-text.js';
import { Identity } from '../../dist/identity/identity.js';
import { KnownServers } from '../../dist/identity/known-servers.js';
import { repeated } from '../property-runs.js';
import { temporaryDirectory } from '../temporary-directory.js';

const keys = [Identity.generate().publicKey, Identity.generate().publicKey];
const keyText = fc.constantFrom(...keys.flatMap((key) => [key.openssh, key.base64]));
const noise = fc.string({ unit: 'grapheme', maxLength: 12 });
const blank = fc.constantFrom(' ', '\t', '  ', '', '\u00a0', '\v');
const lineEnd = fc.constantFrom('\n', '\r\n', '\n\n', '\r');

/** What an option takes away. */
const TAKES = {
  'read-only': ['write', 'delete', 'overwrite'],
  'upload-only': ['read', 'list', 'delete'],
  'no-overwrite': ['overwrite'],
  'no-delete': ['delete'],
} as const;

/** Lines that are almost right. */
function lines(front: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const line = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(front, blank, keyText, blank, noise).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('#', ' # ', ''), noise).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.tuple(noise, blank, noise).map((parts) => parts.join('')) },
  );
  return fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }).map((all) => all.flat().join(''));
}

const clientOptions = fc
  .array(
    fc.oneof(
      fc.constantFrom('read-only', 'upload-only', 'no-overwrite', 'no-delete', 'user=me', 'max-size=1G', 'path="/a b"'),
      fc.constantFrom('path="/../x"', 'expires=2027-01-31', 'expires=never', 'max-size=-1', 'path="', 'READ-ONLY', ''),
      noise,
    ),
    { maxLength: 3 },
  )
  .map((options) => options.join(','));

const serverNames = fc.oneof(
  fc.constantFrom('h:1', '[::1]:5001', '127.0.0.1:22', '[fe80::1%eth0]:7', 'h:0', 'h:65536', '[::g]:1', '[::1%]:1'),
  fc.tuple(noise, fc.constantFrom(':', ':5001', '')).map((parts) => parts.join('')),
);

/** What a line says when comments and blank lines are left out. */
function meaningful(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

test('every line of authorized_clients.pub counts or is told, and every option that counts takes what it says', (t) => {
  fc.assert(
    fc.property(fc.oneof(lines(clientOptions), noise), (text) => {
      const { clients, warnings } = parseAuthorizedClients(text);
      t.is(clients.size + warnings.length, meaningful(text).length, JSON.stringify(text));
      for (const [base64, { key, grant, line }] of clients) {
        t.true(base64 === key.base64 && keys.some((known) => known.base64 === base64));
        const raw = text.split(/\r?\n/)[line - 1] ?? '';
        const options = raw.slice(0, raw.search(/ssh-ed25519|[A-Za-z0-9+/]{43}=/));
        for (const [option, taken] of Object.entries(TAKES)) {
          if (!new RegExp(`(^|[,\\s])${option}[,\\s]`).test(options)) continue;
          for (const may of taken) t.false(grant[may], `${option} in ${raw}`);
        }
        t.notRegex(grant.path, /(^|\/)\.\.(\/|$)/);
      }
    }),
    { numRuns: repeated(2000) },
  );
});

test('a line of authorized_clients.pub that is too long is refused unread', (t) => {
  const { clients, warnings } = parseAuthorizedClients(`${keys[0]?.base64} ${'x'.repeat(MAX_LINE_LENGTH)}`);
  t.is(clients.size, 0);
  t.is(warnings.length, 1);
});

test('known_servers is understood in full or an error names the line', async (t) => {
  const path = join(await temporaryDirectory(t), 'known_servers');
  const known = new KnownServers(path);
  await fc.assert(
    fc.asyncProperty(lines(serverNames), async (text) => {
      await writeFile(path, text);
      let entries;
      try {
        entries = await known.entries();
      } catch (error) {
        t.true(E2eeftpError.is(error), String(error));
        t.regex(String(error), /line \d+/);
        return;
      }
      t.is(entries.length, meaningful(text).length, JSON.stringify(text));
      for (const { host, port, key } of entries) {
        if (host === null || port === null) continue;
        t.is((await known.lookup(host, port, key)).result, 'match');
      }
    }),
    { numRuns: repeated(400) },
  );
});
