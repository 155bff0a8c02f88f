// Type-checks the crates for every platform of `napi.targets` on one Linux machine: `npm run check:targets [TARGET…]`.
//
// Nothing is linked and nothing is run. A compiler whose standard library can be checked for another platform comes
// from Debian, unpacked into `.build/targets` and not installed; C compilers and headers come with zig, from PyPI.
// Microsoft's own tools are no part of that: the `gnu` kind of Windows stands for `msvc`, and has the same `cfg(windows)`.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root, SetupError } from './lib/project.mjs';
import { run, runMain, runOrThrow } from './lib/run.mjs';

/** What is checked in place of a target that needs the tools of another system. */
const STAND_INS = {
  'x86_64-pc-windows-msvc': 'x86_64-pc-windows-gnu',
  'aarch64-pc-windows-msvc': 'aarch64-pc-windows-gnullvm',
};
const CRATES = ['e2eeftp-core', 'e2eeftp-vfs', 'e2eeftp-net', 'e2eeftp-napi'];
const COMPILER_PACKAGES = ['rustc-web', 'rust-web-src', 'libstd-rust-web-dev'];

const place = join(root, '.build/targets');
const unpacked = join(place, 'debian');
const compiler = join(place, 'rustc');
const zig = join(root, '.build/zig/bin');

await runMain(async () => {
  const { napi } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const asked = process.argv.slice(2);
  const unknown = asked.find((target) => !napi.targets.includes(target));
  if (unknown !== undefined) throw new SetupError(`${unknown} is no target; these are: ${napi.targets.join(' ')}`);
  mkdirSync(place, { recursive: true });
  await installCompiler();
  if (!existsSync(join(zig, 'cargo-zigbuild'))) await runOrThrow('install zig', 'scripts/install-zig.sh', []);
  // The build script of napi looks for it; nothing is linked to it here.
  writeFileSync(join(place, 'libnode.dll'), '');
  const failed = [];
  const targets = asked.length > 0 ? asked : napi.targets;
  for (const target of targets) {
    const checked = STAND_INS[target] ?? target;
    process.stdout.write(`${target}${checked === target ? '' : ` by ${checked}`}\n`);
    if ((await check(checked)) !== 0) failed.push(target);
  }
  for (const target of failed) process.stdout.write(`failed: ${target}\n`);
  process.stdout.write(`${targets.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length === 0 ? 0 : 1;
});

/**
 * @param {string} target a Rust target triple
 * @returns {Promise<number>} the exit status
 */
async function check(target) {
  const packages = CRATES.flatMap((name) => ['-p', name]);
  const std = ['-Z', 'build-std=std,panic_unwind'];
  const words = ['check', '--locked', '--quiet', ...std, '--target', target, ...packages];
  const env = {
    PATH: `${zig}:${process.env.PATH}`,
    RUSTC: compiler,
    RUSTC_BOOTSTRAP: '1',
    CARGO_TARGET_DIR: join(place, 'target'),
    LIBNODE_PATH: place,
    // As `napi build` does it: without this, musl has no shared libraries, and the addon would not be checked.
    ...(target.endsWith('musl') ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {}),
  };
  const { status } = await run(join(zig, 'cargo-zigbuild'), words, { env });
  return status;
}

/** Unpacks Debian's newest Rust with the source of its standard library, and writes a script that calls it. */
async function installCompiler() {
  if (existsSync(compiler)) return;
  const found = spawnSync('apt-cache', ['depends', ...COMPILER_PACKAGES], { encoding: 'utf8' });
  if (found.status !== 0) throw new SetupError('This needs a Debian with the packages rustc-web and rust-web-src.');
  const libraries = lines(found.stdout, /Depends: (libstd-rust-web-\d\S*)/g);
  const below = spawnSync('apt-cache', ['depends', ...libraries], { encoding: 'utf8' });
  const packages = [...COMPILER_PACKAGES, ...libraries, ...lines(below.stdout ?? '', /Depends: (libllvm\S+)/g)];
  rmSync(unpacked, { recursive: true, force: true });
  const archives = join(unpacked, 'archives');
  mkdirSync(archives, { recursive: true });
  const download = 'cd "$0" && exec apt-get download --quiet "$@"';
  await runOrThrow('download Rust from Debian', 'sh', ['-c', download, archives, ...new Set(packages)], {
    quiet: true,
  });
  for (const archive of readdirSync(archives)) {
    await runOrThrow(`unpack ${archive}`, 'dpkg-deb', ['-x', join(archives, archive), unpacked]);
  }
  rmSync(archives, { recursive: true });
  const libs = readdirSync(join(unpacked, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'));
  const path = libs.map((name) => join(unpacked, 'usr/lib', name)).join(':');
  const call = `LD_LIBRARY_PATH="${path}" exec "${unpacked}/usr/bin/rustc" --sysroot "${unpacked}/usr" "$@"`;
  writeFileSync(compiler, `#!/bin/sh\n${call}\n`);
  chmodSync(compiler, 0o755);
}

/**
 * @param {string} text
 * @param {RegExp} pattern with one group
 * @returns {string[]} what the group matched
 */
function lines(text, pattern) {
  return [...text.matchAll(pattern)].map(([, name]) => name);
}
