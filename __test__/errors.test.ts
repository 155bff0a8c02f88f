import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, codeForStatus, errorTable, isErrorCode } from '../dist/errors.js';
import type { ErrorCode } from '../dist/errors.js';
import { fromNative } from '../dist/native.js';

const codes = Object.keys(errorTable) as ErrorCode[];

test('docs/ERRORS.md lists exactly the codes of the table, with the same columns', (t) => {
  const text = readFileSync('docs/ERRORS.md', 'utf8');
  const rows = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    const code = /^`(E2EEFTP_[A-Z_]+)`$/.exec(cells[1] ?? '')?.[1];
    if (code === undefined) continue;
    t.false(rows.has(code), `${code} is listed twice`);
    rows.set(code, cells.slice(2, -1));
  }
  t.deepEqual([...rows.keys()].toSorted(), codes.toSorted());
  for (const code of codes) {
    const { blame, status, exitCode, retry } = errorTable[code];
    const [docBlame, docStatus, docExit, docRetry, meaning = '', next = ''] = rows.get(code) ?? [];
    t.deepEqual(
      [docBlame, docStatus, docExit, docRetry],
      [blame, String(status ?? '–'), String(exitCode), retry ? 'yes' : 'no'],
      code,
    );
    t.true(meaning.length > 10 && next.length > 10, `${code} is explained`);
  }
});

test('the status fallback is documented as it is', (t) => {
  const text = readFileSync('docs/ERRORS.md', 'utf8');
  for (const status of [400, 401, 403, 404, 409, 413, 422, 429, 500, 501, 503, 507]) {
    t.true(text.includes(`${status} \`${codeForStatus(status)}\``), String(status));
  }
  t.is(codeForStatus(418), 'E2EEFTP_BAD_REQUEST');
  t.is(codeForStatus(599), 'E2EEFTP_SERVER_ERROR');
});

test('every code that the native crates name is in the table', (t) => {
  let found = 0;
  for (const crate of ['core', 'vfs', 'net', 'napi']) {
    const folder = join('crates', crate, 'src');
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.rs')) continue;
      for (const [code] of readFileSync(join(folder, name), 'utf8').matchAll(/\bE2EEFTP_[A-Z]+(?:_[A-Z]+)*\b/g)) {
        found += 1;
        t.true(isErrorCode(code), `${code} in ${crate}/${name}`);
      }
    }
  }
  t.true(found > 20);
});

test('a code is recognised only when it is an own key of the table', (t) => {
  t.true(isErrorCode('E2EEFTP_NOT_FOUND'));
  for (const value of ['toString', 'E2EEFTP_NO_SUCH', '', null, 5, undefined, {}]) t.false(isErrorCode(value));
});

test('E2eeftpError carries status, exit code, hint and cause, and is told apart', (t) => {
  const cause = new Error('inner');
  const error = new E2eeftpError('E2EEFTP_NOT_FOUND', 'gone', { hint: 'look elsewhere', cause });
  t.true(error instanceof Error);
  t.is(error.status, 404);
  t.is(error.exitCode, 6);
  t.is(error.hint, 'look elsewhere');
  t.is(error.cause, cause);
  t.true(E2eeftpError.is(error));
  t.true(E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND'));
  t.false(E2eeftpError.is(error, 'E2EEFTP_EXISTS'));
  for (const other of [new Error('x'), null, undefined, 'E2EEFTP_NOT_FOUND', { code: 'E2EEFTP_NOT_FOUND' }]) {
    t.false(E2eeftpError.is(other));
  }
  t.is(new E2eeftpError('E2EEFTP_TIMEOUT', 'late').status, undefined);
});

test('an error of another copy of the package is recognised', async (t) => {
  const other = (await import(`../dist/errors.js?copy=${Date.now()}`)) as typeof import('../dist/errors.js');
  t.not(other.E2eeftpError, E2eeftpError);
  t.true(E2eeftpError.is(new other.E2eeftpError('E2EEFTP_EXISTS', 'x'), 'E2EEFTP_EXISTS'));
});

test('within() puts text in front and keeps the rest', (t) => {
  const inner = new E2eeftpError('E2EEFTP_EXISTS', 'File exists', { status: 499, hint: 'h', reference: 'r' });
  const outer = inner.within('a.txt');
  t.is(outer.message, 'a.txt: File exists');
  t.deepEqual([outer.code, outer.status, outer.hint, outer.reference, outer.cause], [inner.code, 499, 'h', 'r', inner]);
});

test('native errors are rebuilt from their prefix; anything else is internal', (t) => {
  const known = fromNative(new Error('[E2EEFTP_NO_SPACE] no space left'));
  t.is(known.code, 'E2EEFTP_NO_SPACE');
  t.is(known.message, 'no space left');
  for (const strange of [new Error('[E2EEFTP_NO_SUCH_CODE] x'), new TypeError('bad argument'), 'text', undefined]) {
    const error = fromNative(strange);
    t.is(error.code, 'E2EEFTP_INTERNAL');
    t.is(error.cause, strange);
  }
  t.is(fromNative(known), known);
});
