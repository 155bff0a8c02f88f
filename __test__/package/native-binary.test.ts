import test from 'ava';

import { E2eeftpError } from '../../dist/errors.js';
import { platformName, PREBUILT, requireBinary } from '../../dist/native-binary.js';
import { readProjectFile } from '../house/project-files.js';

const linux = { platform: 'linux', arch: 'x64', musl: false };

/** A `require` that knows these modules; a function in place of a module throws when it is loaded. */
function loader(modules: Readonly<Record<string, unknown>>): (name: string) => unknown {
  return (name) => {
    if (!(name in modules))
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    const module = modules[name];
    if (module instanceof Error) throw module;
    return module;
  };
}

function failure(modules: Readonly<Record<string, unknown>>, machine = linux, override?: string): E2eeftpError {
  try {
    requireBinary(loader(modules), machine, '1.2.3', override);
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_NO_BINARY')) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('the platforms are those of package.json', (t) => {
  const { napi } = JSON.parse(readProjectFile('package.json')) as { napi: { targets: string[] } };
  const names = napi.targets.map((target) => {
    const [arch, , system, libc] = target.split('-');
    const machine = {
      platform: system === 'windows' ? 'win32' : (system ?? ''),
      arch: arch === 'x86_64' ? 'x64' : 'arm64',
      musl: libc === 'musl',
    };
    return platformName(machine);
  });
  t.deepEqual(names.toSorted(), [...PREBUILT].toSorted());
});

test('a file beside the package wins, then the package of the platform in the same version', (t) => {
  t.notThrows(() => requireBinary(loader({ './e2eeftp.linux-x64-gnu.node': {} }), linux, '1.2.3'));
  const installed = { 'e2eeftp-linux-x64-musl': {}, 'e2eeftp-linux-x64-musl/package.json': { version: '1.2.3' } };
  t.notThrows(() => requireBinary(loader(installed), { ...linux, musl: true }, '1.2.3'));
  t.regex(failure(installed).message, /e2eeftp-linux-x64-gnu is not installed/);
  const older = { ...installed, 'e2eeftp-linux-x64-musl/package.json': { version: '1.2.2' } };
  t.regex(failure(older, { ...linux, musl: true }).message, /is version 1\.2\.2, and e2eeftp is 1\.2\.3/);
});

test('each reason has its own words and its own next step', (t) => {
  const missing = failure({});
  t.is(missing.exitCode, 12);
  t.regex(missing.hint ?? '', /npm install e2eeftp-linux-x64-gnu@1\.2\.3$/);
  const other = failure({}, { platform: 'freebsd', arch: 'riscv64', musl: false });
  t.is(other.message, 'there is no prebuilt e2eeftp for freebsd-riscv64');
  t.regex(other.hint ?? '', /from source/);
  const glibc = new Error("/lib/libm.so.6: version `GLIBC_2.38' not found (required by x.node)");
  const old = failure({ 'e2eeftp-linux-x64-gnu': glibc });
  t.regex(old.message, /cannot be loaded: .*GLIBC_2\.38/);
  t.regex(old.hint ?? '', /older than GLIBC 2\.38/);
  t.true(old.cause instanceof AggregateError && old.cause.errors.includes(glibc));
});

test('a path given by NAPI_RS_NATIVE_LIBRARY_PATH is the only one tried', (t) => {
  t.notThrows(() => requireBinary(loader({ '/x.node': {} }), linux, '1.2.3', '/x.node'));
  const beside = { './e2eeftp.linux-x64-gnu.node': {} };
  t.regex(failure(beside, linux, '/x.node').message, /for \/x\.node cannot be loaded/);
});
