import test from 'ava';
import { formatBytes, formatDuration, formatMode, formatRate, formatTime } from '../../dist/cli/human-units.js';

test('sizes have three digits', (t) => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [9994, '9.99 kB'],
    [9995, '10.0 kB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [123_456_789, '123 MB'],
    [5e9, '5.00 GB'],
    [2 ** 53, '9.01 PB'],
  ];
  for (const [bytes, text] of cases) t.is(formatBytes(bytes), text);
});

test('rates', (t) => {
  t.is(formatRate(1_500_000), '1.50 MB/s');
  t.is(formatRate(0), '-');
  t.is(formatRate(Number.NaN), '-');
  t.is(formatRate(Number.POSITIVE_INFINITY), '-');
});

test('durations', (t) => {
  t.is(formatDuration(0), '0.00 s');
  t.is(formatDuration(9.99), '9.99 s');
  t.is(formatDuration(9.996), '10.0 s');
  t.is(formatDuration(59.96), '1:00 min');
  t.is(formatDuration(65), '1:05 min');
  t.is(formatDuration(3599.6), '1:00:00 h');
  t.is(formatDuration(7387), '2:03:07 h');
});

test('modes', (t) => {
  t.is(formatMode('file', 0o644), '-rw-r--r--');
  t.is(formatMode('directory', 0o1777), 'drwxrwxrwt');
  t.is(formatMode('directory', 0o1770), 'drwxrwx--T');
  t.is(formatMode('file', 0o4755), '-rwsr-xr-x');
  t.is(formatMode('file', 0o2640), '-rw-r-S---');
  t.is(formatMode('symlink', 0o777), 'lrwxrwxrwx');
  t.is(formatMode('other', 0), '?---------');
});

test('times', (t) => {
  t.regex(formatTime(new Date(0)), /^19(69|70)-\d\d-\d\d \d\d:\d\d$/);
  t.is(formatTime(new Date(Number.NaN)), '-');
});
