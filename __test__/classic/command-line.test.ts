import test from 'ava';
import { isPlainName, readCommand, readSize, statusLine } from '../../dist/classic/command-line.js';

test('a line is trimmed at its ends, split, and its verb made upper case', (t) => {
  const read = (text: string) => readCommand(Buffer.from(text));
  t.deepEqual(read('SEND|a|64'), { verb: 'SEND', fields: ['a', '64'] });
  t.deepEqual(read(' \t\r send|a b |64|more \u3000\r'), { verb: 'SEND', fields: ['a b ', '64', 'more'] });
  t.deepEqual(read('GET | b'), { verb: 'GET ', fields: [' b'] });
  t.deepEqual(read(''), { verb: '', fields: [] });
  t.deepEqual(read('\ufeffLIST'), { verb: '\ufeffLIST', fields: [] });
  t.is(readCommand(Buffer.from([0x47, 0xff])), null);
});

test('sizes are whole numbers as the old server reads them', (t) => {
  for (const [text, size] of [
    ['64', 64],
    [' 64 ', 64],
    ['+64', 64],
    ['-5', -5],
    ['6_4', 64],
    ['0', 0],
    ['007', 7],
  ] as const) {
    t.is(readSize(text), size, text);
  }
  for (const text of ['', 'abc', '1.5', '0x40', '6__4', '_6', '6_', '1e3', 'NaN', 'Infinity', '- 5', '٦']) {
    t.is(readSize(text), null, text);
  }
  t.true((readSize('9'.repeat(400)) ?? 0) > 2 ** 60);
});

test('only plain names are names', (t) => {
  for (const name of ['a', 'a.txt', '.hidden', 'a..b', '...', 'né', 'a b', ' ', '日本', '-rf', '~', 'C:x']) {
    t.true(isPlainName(name), name);
  }
  const bad = [
    '',
    '.',
    '..',
    '/',
    '/etc/passwd',
    'a/b',
    '../a',
    'a\\b',
    '..\\a',
    'a\0',
    'a\nb',
    '\x1b[2J',
    '\x7f',
    '\x85',
  ];
  for (const name of [...bad, 'a|b', 'a\u2028b']) t.false(isPlainName(name), JSON.stringify(name));
});

test('a status line ends with a newline', (t) => {
  t.is(statusLine(404, 'File not found: né').toString(), '404|File not found: né\n');
});
