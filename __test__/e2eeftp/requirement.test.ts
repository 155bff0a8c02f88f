import test from 'ava';
import { missingPermission } from '../../dist/e2eeftp/requirement.js';
import { fullGrant } from '../../dist/index.js';

const nothing = { ...fullGrant, read: false, write: false, list: false, delete: false };

test('one permission, all of several, one of several', (t) => {
  const reader = { ...nothing, read: true };
  t.is(missingPermission(reader, 'read'), null);
  t.is(missingPermission(reader, 'write'), 'write');
  t.is(missingPermission(reader, ['read', 'write']), 'write');
  t.is(missingPermission({ ...reader, write: true }, ['read', 'write']), null);
  t.is(missingPermission(reader, { anyOf: ['read', 'write'] }), null);
  t.is(missingPermission(nothing, { anyOf: ['list', 'write'] }), 'list or write');
});

test('no permission of none is missing, and nothing is one of none', (t) => {
  t.is(missingPermission(nothing, []), null);
  t.is(missingPermission(fullGrant, { anyOf: [] }), '');
});
