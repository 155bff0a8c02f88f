import { inspect } from 'node:util';
import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { completeGrant, fullGrant, isExpired, readOnlyGrant, toNativeGrant } from '../../dist/storage/grant.js';
import type { Grant } from '../../dist/storage/grant.js';

test('what a grant leaves out is not permitted', (t) => {
  const grant = completeGrant({ list: true });
  t.deepEqual(
    [grant.read, grant.write, grant.list, grant.delete, grant.overwrite, grant.path],
    [false, false, true, false, false, '/'],
  );
});

test('members of the wrong type are refused', (t) => {
  const bad: unknown[] = [
    null,
    'x',
    { read: 1 },
    { path: 5 },
    { maxSize: -1 },
    { maxSize: 1.5 },
    { maxSize: 2 ** 60 },
    { maxSize: 2n ** 53n },
    { maxSize: -1n },
    { user: 3 },
    { expiresAt: 'x' },
    { expiresAt: new Date('x') },
  ];
  for (const given of bad) {
    const error = t.throws(() => completeGrant(given as Partial<Grant>));
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'), inspect(given));
  }
});

test('a limit may be a bigint', (t) => {
  t.is(completeGrant({ maxSize: 2n ** 53n - 1n }).maxSize, Number.MAX_SAFE_INTEGER);
  t.is(completeGrant({ maxSize: 0n }).maxSize, 0);
  t.is(completeGrant({ maxSize: null }).maxSize, null);
});

test('read-only takes every right to change something', (t) => {
  const grant = readOnlyGrant(fullGrant);
  t.deepEqual([grant.read, grant.list, grant.write, grant.delete, grant.overwrite], [true, true, false, false, false]);
});

test('a grant runs out at its moment', (t) => {
  const grant = { ...fullGrant, expiresAt: new Date(1000) };
  t.false(isExpired(grant, 999));
  t.true(isExpired(grant, 1000));
  t.false(isExpired(fullGrant, Number.MAX_SAFE_INTEGER));
  t.is(toNativeGrant(grant).expiresAtMs, 1000);
  t.false('maxSize' in toNativeGrant(grant));
});
