import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { E2eeftpError } from '../../dist/errors.js';
import { NativeStorage, native } from '../../dist/native.js';
import { displayName } from '../../dist/storage/display-name.js';
import { fullGrant, toNativeGrant } from '../../dist/storage/grant.js';
import { canonicalPath, joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../dist/storage/path-text.js';
import { temporaryDirectory } from '../temporary-directory.js';

test('any bytes survive the trip through text', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      t.is(pathToBytes(pathFromBytes(bytes)).compare(bytes), 0);
    }),
    { numRuns: 2000 },
  );
});

test('bytes near the borders of UTF-8 survive, too', (t) => {
  const pieces = fc.constantFrom(
    0x00,
    0x41,
    0x7f,
    0x80,
    0xbf,
    0xc0,
    0xc2,
    0xdf,
    0xe0,
    0xa0,
    0xed,
    0x9f,
    0xef,
    0xbb,
    0xf0,
    0x90,
    0xf4,
    0x8f,
    0xff,
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (bytes) => {
      t.is(pathToBytes(pathFromBytes(Uint8Array.from(bytes))).compare(Uint8Array.from(bytes)), 0);
    }),
    { numRuns: 5000 },
  );
});

test('well-formed text is UTF-8, unchanged', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      t.is(pathToBytes(text).toString('utf8'), text);
      t.is(pathFromBytes(Buffer.from(text, 'utf8')), text);
    }),
  );
});

test('bytes outside UTF-8 become U+DC80 to U+DCFF, as in Python', (t) => {
  t.is(pathFromBytes(Buffer.of(0x61, 0xff, 0x62)), 'a\udcffb');
  t.is(pathFromBytes(Buffer.of(0xed, 0xa0, 0x80)), '\udced\udca0\udc80');
  t.is(pathFromBytes(Buffer.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
  t.deepEqual(pathToBytes('/\udc80\u{1f600}\udcff'), Buffer.from('2f80f09f9880ff', 'hex'));
});

test('a lone surrogate that stands for no byte is refused', (t) => {
  for (const text of ['\ud800', '\udc00', '\udc7f', '\udd00', 'a\udfffb']) {
    const error = t.throws(() => pathToBytes(text));
    t.true(E2eeftpError.is(error, 'E2EEFTP_BAD_PATH'));
  }
});

test('base name and join', (t) => {
  t.is(remoteBaseName('/a/b.txt'), 'b.txt');
  t.is(remoteBaseName('b.txt'), 'b.txt');
  t.is(remoteBaseName('/a/b//'), 'b');
  t.is(remoteBaseName('/'), '');
  t.is(joinRemote('/', 'x'), '/x');
  t.is(joinRemote('/a/', 'x'), '/a/x');
  t.is(joinRemote('/a', 'x'), '/a/x');
});

test('a name that is shown can’t control the terminal', (t) => {
  t.is(displayName('plain ünïcode 漢字 😀'), 'plain ünïcode 漢字 😀');
  t.is(displayName('a\nb\u001b[31m\u007f'), 'a\\x0ab\\x1b[31m\\x7f');
  t.is(displayName('\udcff'), '\\xff');
  t.is(displayName('\u202egnp.exe\u200b\u{e0041}'), '\\u{202e}gnp.exe\\u{200b}\\u{e0041}');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex
      t.notRegex(displayName(text), /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('the one form of a path is the one that the storage reads', async (t) => {
  const root = await temporaryDirectory(t);
  // Each differs from the others in its permission bits.
  for (const [number, path] of ['a', 'a/b', 'a/b/\\', ' ', ' /ü'].entries()) {
    await mkdir(join(root, path), { mode: 0o710 + number });
  }
  await writeFile(join(root, 'b'), 'file');
  await writeFile(join(root, 'a', '...'), '');
  const view = NativeStorage.open(root).view(toNativeGrant(fullGrant));
  const look = async (path: Buffer): Promise<string> => {
    try {
      const { fileType, size, mode } = await native(() => view.stat(path));
      return `${fileType} ${fileType === 'file' ? size : mode}`;
    } catch (error) {
      return E2eeftpError.is(error) ? error.code : String(error);
    }
  };
  const part = fc.constantFrom('a', 'b', '.', '..', '...', '', '\\', ' ', 'a\0', '\udcff', 'ü');
  const path = fc.array(part, { maxLength: 5 }).map((parts) => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(path, fc.constantFrom('', '/', '//'), async (text, start) => {
      const raw = pathToBytes(start + text);
      let form: string;
      try {
        form = canonicalPath(start + text);
      } catch (error) {
        t.true(E2eeftpError.is(error, 'E2EEFTP_BAD_PATH'));
        t.is(await look(raw), 'E2EEFTP_BAD_PATH', JSON.stringify(text));
        return;
      }
      t.regex(form, /^\/(?:[^/]+(?:\/[^/]+)*)?$/);
      t.is(canonicalPath(form), form);
      t.is(await look(raw), await look(pathToBytes(form)), JSON.stringify(text));
    }),
    { numRuns: 300 },
  );
});
