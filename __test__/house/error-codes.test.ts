// Every error code is shown by a run of the command line, or has a reason why that can't be.

import test from 'ava';

import { errorTable } from '../../dist/index.js';
import { EVERY_CODE, LIBRARY_ONLY } from '../cli/every-code.js';

test('each code is produced through the command line, or named with its reason', (t) => {
  const covered = [...Object.keys(EVERY_CODE), ...Object.keys(LIBRARY_ONLY)];
  t.deepEqual(covered.toSorted(), Object.keys(errorTable).toSorted());
  for (const [code, reason] of Object.entries(LIBRARY_ONLY)) t.true(reason.length > 20, code);
});
