import test from 'ava';
import { EXIT_MEANINGS } from '../../dist/cli/reference/exit-meanings.js';
import { type ErrorCode, errorTable } from '../../dist/index.js';
import { EVERY_CODE, OTHER_EXITS } from './every-code.js';

for (const [code, produce] of Object.entries(EVERY_CODE)) {
  const { exitCode } = errorTable[code as keyof typeof EVERY_CODE];
  test.serial(`${code}: exit code ${exitCode}`, async (t) => {
    const { code: status, stderr } = await produce(t);
    t.true(stderr.includes(`error[${code}]: `), stderr);
    t.is(status, exitCode, stderr);
  });
}

for (const [exitCode, produce] of Object.entries(OTHER_EXITS)) {
  test.serial(`exit code ${exitCode}`, async (t) => {
    const { code, stderr } = await produce(t);
    t.is(code, Number(exitCode), stderr);
  });
}

test('these are all exit codes', (t) => {
  const produced = [
    ...Object.keys(EVERY_CODE).map((code) => errorTable[code as ErrorCode].exitCode),
    ...Object.keys(OTHER_EXITS).map(Number),
  ];
  t.deepEqual(
    [...new Set(produced)].toSorted((a, b) => a - b),
    Object.keys(EXIT_MEANINGS).map(Number),
  );
});
