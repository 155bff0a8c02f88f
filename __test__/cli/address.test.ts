import test from 'ava';
import { assert, property, string, uint8Array } from 'fast-check';
import { parseAddress, parsePeer } from '../../dist/cli/address.js';
import { E2eeftpError, pathToBytes } from '../../dist/index.js';

const remote = (host: string, path: string, more: object = {}): object => ({ kind: 'remote', host, path, ...more });

test('PEER:PATH in all its forms', (t) => {
  t.deepEqual(parseAddress('host:a/b'), remote('host', 'a/b'));
  t.deepEqual(parseAddress('host:/a/b/'), remote('host', '/a/b/'));
  t.deepEqual(parseAddress('host:'), remote('host', ''));
  t.deepEqual(parseAddress('192.0.2.7:x'), remote('192.0.2.7', 'x'));
  t.deepEqual(parseAddress('[2001:db8::1]:x:y'), remote('2001:db8::1', 'x:y'));
  t.deepEqual(parseAddress('[::1]:'), remote('::1', ''));
  t.deepEqual(parseAddress('ann@host:x'), remote('host', 'x', { user: 'ann' }));
  t.deepEqual(parseAddress('ann@[::1]:x'), remote('::1', 'x', { user: 'ann' }));
  t.deepEqual(parseAddress('ann@example.org@host:x'), remote('host', 'x', { user: 'ann@example.org' }));
  t.deepEqual(parseAddress('host:a:b'), remote('host', 'a:b'));
  t.deepEqual(parseAddress('host:ü \n|'), remote('host', 'ü \n|'));
  t.deepEqual(parseAddress('bücher.example:x'), remote('xn--bcher-kva.example', 'x'));
});

test('URLs', (t) => {
  t.deepEqual(parseAddress('e2eeftp://host/a/b'), remote('host', '/a/b'));
  t.deepEqual(parseAddress('E2EEFTP://host:6001/a'), remote('host', '/a', { port: 6001 }));
  t.deepEqual(parseAddress('e2eeftp://ann@[::1]:1/'), remote('::1', '/', { user: 'ann', port: 1 }));
  t.deepEqual(parseAddress('e2eeftp://host'), remote('host', ''));
  t.deepEqual(parseAddress('e2eeftp://host/100%25%20%C3%BC%3F'), remote('host', '/100% ü?'));
  const odd = parseAddress('e2eeftp://host/%ff%fe');
  t.deepEqual(pathToBytes(odd.path), Buffer.from([0x2f, 0xff, 0xfe]));
});

test('local paths', (t) => {
  for (const path of ['-', 'a', './a:b', '/a:b', 'dir/a:b', ':a', '../x', 'a b']) {
    t.deepEqual(parseAddress(path), { kind: 'local', path }, path);
  }
});

test('a drive letter is local on Windows only', (t) => {
  t.deepEqual(parseAddress('C:\\files\\a', 'win32'), { kind: 'local', path: 'C:\\files\\a' });
  t.deepEqual(parseAddress('c:/a', 'win32'), { kind: 'local', path: 'c:/a' });
  t.deepEqual(parseAddress('.\\a:b', 'win32'), { kind: 'local', path: '.\\a:b' });
  t.deepEqual(parseAddress('c:/a', 'linux'), remote('c', '/a'));
  t.deepEqual(parseAddress('cc:/a', 'win32'), remote('cc', '/a'));
});

test('what is no address is refused with the code for usage', (t) => {
  const wrong = [
    '',
    '[::1:x]:a',
    '[host]:a',
    'a?b:x',
    'bü#cher:x',
    '-oProxy=x:a',
    'ho st:a',
    'host\u202e:a',
    '@host:a',
    'a b@host:x',
    'http://host/a',
    'e2eeftp://',
    'e2eeftp:///a',
    'e2eeftp://host:0/a',
    'e2eeftp://host:65536/a',
    'e2eeftp://host:x/a',
    'e2eeftp://ann:secret@host/a',
    'e2eeftp://ann%3Asecret@host/a',
    'e2eeftp://host/%4',
    'e2eeftp://host/%zz',
    'e2eeftp://host/%00',
    'e2eeftp://host/a?b',
    'e2eeftp://host/a#b',
    'e2eeftp://::1/a',
    'host:a\0b',
    `${'a'.repeat(254)}:x`,
  ];
  for (const text of wrong) {
    const error = t.throws(() => parseAddress(text, 'linux'), { instanceOf: E2eeftpError }, JSON.stringify(text));
    t.is(error?.code, 'E2EEFTP_INVALID_ARGUMENT');
  }
});

test('no password of an address is repeated in an error', (t) => {
  for (const text of [
    'e2eeftp://ann:hunter2@host/a',
    'e2eeftp://ann:hunter2@host:x/a',
    'e2eeftp://ann:hunter2@ho st/a',
  ]) {
    const error = t.throws(() => parseAddress(text));
    t.false(error?.message.includes('hunter2'), error?.message);
  }
});

test('any bytes survive percent-encoding', (t) => {
  const bytes = uint8Array({ maxLength: 60 }).filter((value) => !value.includes(0));
  assert(
    property(bytes, (value) => {
      const encoded = [...value].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
      const address = parseAddress(`e2eeftp://host/${encoded}`);
      return pathToBytes(address.path).equals(Buffer.concat([Buffer.from('/'), value]));
    }),
  );
  t.pass();
});

test('any text is an address or is refused as one', (t) => {
  assert(
    property(string({ unit: 'binary', maxLength: 40 }), (text) => {
      try {
        const address = parseAddress(text, 'linux');
        return address.kind === 'local' ? address.path === text : address.host !== '';
      } catch (error) {
        return E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT') || E2eeftpError.is(error, 'E2EEFTP_BAD_PATH');
      }
    }),
  );
  t.pass();
});

test('servers without a path', (t) => {
  t.deepEqual(parsePeer('host'), { host: 'host' });
  t.deepEqual(parsePeer('host:'), { host: 'host' });
  t.deepEqual(parsePeer('host:99'), { host: 'host', port: 99 });
  t.deepEqual(parsePeer('::1'), { host: '::1' });
  t.deepEqual(parsePeer('[::1]:99'), { host: '::1', port: 99 });
  t.deepEqual(parsePeer('ann@host'), { host: 'host', user: 'ann' });
  t.deepEqual(parsePeer('e2eeftp://host:7/'), { host: 'host', port: 7 });
  for (const text of ['', 'host:/a', 'host:0', 'host:x', 'e2eeftp://host/a', 'a/b', 'a?b', 'bü/b']) {
    t.throws(() => parsePeer(text), { code: 'E2EEFTP_INVALID_ARGUMENT' }, text);
  }
});
