/**
 * Finds the native addon before the generated loader does, so that a machine without a fitting one is told what is
 * wrong and what to do. Loading this module is the check; it must come before `../index.js`.
 *
 * The places are those of the generated loader: `NAPI_RS_NATIVE_LIBRARY_PATH`, a file beside it (a build from source),
 * the package of this platform (an installation).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { E2eeftpError } from './errors.js';

/** The platforms that packages are made for: `napi.targets` of package.json, in Node's words. */
export const PREBUILT: readonly string[] = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
];

/** Where this process runs. */
export interface Machine {
  /** `process.platform` and `process.arch`. */
  readonly platform: string;
  readonly arch: string;
  /** Whether the C library is musl; counts on Linux only. */
  readonly musl: boolean;
}

/** Loads a module by name or path, or throws; `require` of the package's root. */
export type Load = (name: string) => unknown;

/** The addon's platform name on `machine`, such as `linux-x64-gnu`, `darwin-arm64` or `win32-x64-msvc`. */
export function platformName({ platform, arch, musl }: Machine): string {
  if (platform === 'linux') return `linux-${arch}-${musl ? 'musl' : 'gnu'}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

/**
 * Loads the addon for `machine` once; the generated loader finds it in the module cache.
 *
 * @param version of this package: the addon's package must have the same.
 * @throws E2eeftpError `E2EEFTP_NO_BINARY` with the reason and the next step.
 */
export function requireBinary(load: Load, machine: Machine, version: string, override?: string): void {
  const name = platformName(machine);
  const failures: unknown[] = [];
  if (override !== undefined && override !== '') {
    if (attempt(load, override, failures)) return;
    throw unusable(override, failures);
  }
  if (attempt(load, `./e2eeftp.${name}.node`, failures)) return;
  if (attempt(load, `e2eeftp-${name}`, failures)) {
    const found = (load(`e2eeftp-${name}/package.json`) as { version?: unknown }).version;
    if (found === version) return;
    throw noBinary(
      `the package e2eeftp-${name} is version ${String(found)}, and e2eeftp is ${version}`,
      `npm install e2eeftp@${version}, which brings both in the same version`,
      failures,
    );
  }
  const broken = failures.filter((failure) => !isMissing(failure));
  if (broken.length > 0) throw unusable(name, broken);
  if (!PREBUILT.includes(name)) {
    throw noBinary(
      `there is no prebuilt e2eeftp for ${name}`,
      `build it from source with Rust and a C compiler; prebuilt are ${PREBUILT.join(', ')}`,
      failures,
    );
  }
  throw noBinary(
    `the package e2eeftp-${name} is not installed`,
    `npm leaves it out with --omit=optional, and with a package-lock.json from another platform; npm install e2eeftp-${name}@${version}`,
    failures,
  );
}

function attempt(load: Load, name: string, failures: unknown[]): boolean {
  try {
    load(name);
    return true;
  } catch (error) {
    failures.push(error);
    return false;
  }
}

/** Whether a module is not there at all; one that is there and does not load fails otherwise. */
function isMissing(failure: unknown): boolean {
  return (failure as NodeJS.ErrnoException | null)?.code === 'MODULE_NOT_FOUND';
}

function unusable(name: string, failures: readonly unknown[]): E2eeftpError {
  const text = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure))).join('; ');
  const old = /GLIBC_[\d.]+/.exec(text)?.[0];
  return noBinary(
    `the native part for ${name} cannot be loaded: ${text.split('\n', 1)[0] ?? ''}`,
    old === undefined
      ? 'install e2eeftp again; if that does not help, build it from source'
      : `this system's C library is older than ${old.replace('_', ' ')}: use a newer system, or build it from source`,
    failures,
  );
}

function noBinary(message: string, hint: string, failures: readonly unknown[]): E2eeftpError {
  return new E2eeftpError('E2EEFTP_NO_BINARY', message, { hint, cause: new AggregateError(failures, message) });
}

/** The same test as the generated loader's, which has the last word. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl');
  } catch {
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    return header.glibcVersionRuntime === undefined;
  }
}

const require = createRequire(new URL('../package.json', import.meta.url));
const { version } = require('./package.json') as { version: string };
const { platform, arch } = process;
requireBinary(require, { platform, arch, musl: isMusl() }, version, process.env['NAPI_RS_NATIVE_LIBRARY_PATH']);
