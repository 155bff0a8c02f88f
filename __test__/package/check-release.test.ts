import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import test, { type ExecutionContext } from 'ava';

import { root } from '../house/project-files.js';
import { temporaryDirectory } from '../temporary-directory.js';

const { version, napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  napi: { targets: string[] };
};

/** The head of a binary for `target`, with the symbol versions that a linker would write. */
function binary(target: string, glibc = '2.28'): Buffer {
  const content = Buffer.alloc(200);
  const [processor, , system, libc] = target.split('-');
  if (system === 'darwin') {
    content.writeUInt32LE(0xfeedfacf, 0);
    content.writeUInt32LE(processor === 'x86_64' ? 0x01000007 : 0x0100000c, 4);
  } else if (system === 'windows') {
    content.write('MZ', 'latin1');
    content.writeUInt32LE(0x80, 0x3c);
    content.write('PE\0\0', 0x80, 'latin1');
    content.writeUInt16LE(processor === 'x86_64' ? 0x8664 : 0xaa64, 0x84);
  } else {
    content.write('\x7fELF\x02\x01', 'latin1');
    content.writeUInt16LE(processor === 'x86_64' ? 0x3e : 0xb7, 18);
    if (libc === 'gnu') content.write(`\0GLIBC_2.2.5\0GLIBC_${glibc}\0`, 100, 'latin1');
  }
  return content;
}

/** A directory as the release workflow downloads it. */
async function artifacts(t: ExecutionContext): Promise<string> {
  const directory = join(await temporaryDirectory(t), 'artifacts');
  for (const target of napi.targets) write(directory, target, binary(target));
  return directory;
}

function write(directory: string, target: string, content: Buffer): void {
  mkdirSync(join(directory, `binding-${target}`), { recursive: true });
  writeFileSync(join(directory, `binding-${target}`, 'e2eeftp.node'), content);
}

/** Runs the gate for this checkout as it will be when its changes have got their version. */
function check(directory: string, tag = `v${version}`, changes = version): { code: number | null; faults: string[] } {
  const project = join(directory, '../project');
  mkdirSync(project, { recursive: true });
  for (const file of ['package.json', 'Cargo.toml']) cpSync(join(root, file), join(project, file));
  writeFileSync(join(project, 'CHANGELOG.md'), `## [Unreleased]\n\n## [${changes}] - 2030-01-01\n`);
  const words = [join(root, 'scripts/check-release.mjs'), directory, tag, project];
  const { status, stderr } = spawnSync(process.execPath, words);
  return { code: status, faults: stderr.toString().split('\n').slice(0, -1) };
}

test('a complete set of binaries passes', async (t) => {
  t.deepEqual(check(await artifacts(t)), { code: 0, faults: [] });
});

test('a missing, double, foreign or unknown binary stops the release', async (t) => {
  const directory = await artifacts(t);
  rmSync(join(directory, 'binding-aarch64-apple-darwin'), { recursive: true });
  writeFileSync(join(directory, 'binding-x86_64-apple-darwin', 'second.node'), '');
  write(directory, 'aarch64-unknown-linux-gnu', binary('x86_64-unknown-linux-gnu'));
  write(directory, 'x86_64-unknown-linux-musl', binary('x86_64-unknown-linux-gnu'));
  write(directory, 'riscv64gc-unknown-linux-gnu', binary('x86_64-unknown-linux-gnu'));
  write(directory, 'aarch64-pc-windows-msvc', binary('x86_64-pc-windows-msvc'));
  write(directory, 'x86_64-pc-windows-msvc', Buffer.from('MZ'.padEnd(0x44, '\xff'), 'latin1'));
  const { code, faults } = check(directory);
  t.is(code, 1);
  t.deepEqual(faults.map((fault) => fault.replace(/ folder .*/, ' folder')).toSorted(), [
    'aarch64-apple-darwin: there is no folder',
    'aarch64-pc-windows-msvc: not a Windows binary for aarch64',
    'aarch64-unknown-linux-gnu: not an ELF binary for aarch64',
    'binding-riscv64gc-unknown-linux-gnu belongs to no target of package.json',
    'x86_64-apple-darwin: 2 files instead of one: e2eeftp.node, second.node',
    'x86_64-pc-windows-msvc: not a Windows binary for x86_64',
    'x86_64-unknown-linux-musl: needs glibc 2.28',
  ]);
});

test('a binary that needs a newer C library than promised stops the release', async (t) => {
  const directory = await artifacts(t);
  write(directory, 'x86_64-unknown-linux-gnu', binary('x86_64-unknown-linux-gnu', '2.34'));
  t.deepEqual(check(directory).faults, ['x86_64-unknown-linux-gnu: needs glibc 2.34, promised is 2.31']);
});

test('what a linker really writes is understood', async (t) => {
  const name = readdirSync(root).find((file) => /^e2eeftp\.linux-.*-gnu\.node$/.test(file));
  t.not(name, undefined, 'the addon of this checkout, built for Linux with glibc');
  if (name === undefined) return;
  const directory = await artifacts(t);
  const target = name.includes('arm64') ? 'aarch64-unknown-linux-gnu' : 'x86_64-unknown-linux-gnu';
  const file = join(directory, `binding-${target}`, 'e2eeftp.node');
  cpSync(join(root, name), file);
  const symbols = execFileSync('objdump', ['-T', file], { encoding: 'utf8' });
  const versions = [...symbols.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const newest = Math.max(...versions);
  const expected = newest > 31 ? [`${target}: needs glibc 2.${newest}, promised is 2.31`] : [];
  t.deepEqual(check(directory).faults, expected);
});

test('a tag that is not the version stops the release', async (t) => {
  t.deepEqual(check(await artifacts(t), 'v99.0.0').faults, [`the tag is v99.0.0, package.json says ${version}`]);
});

test('a version without its section in the change log stops the release', async (t) => {
  const { faults } = check(await artifacts(t), `v${version}`, '0.0.1');
  t.deepEqual(faults, [`CHANGELOG.md has no section for ${version}`]);
});
