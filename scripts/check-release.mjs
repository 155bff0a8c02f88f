// The gate before a release: `node scripts/check-release.mjs DIRECTORY TAG [PROJECT]`; PROJECT is this checkout.
//
// DIRECTORY holds one folder `binding-TARGET` for each of `napi.targets` of package.json, each with the one binary of
// that target. Every binary has to be for the system and processor that its name says, and to need no newer C library
// than promised. TAG has to be the version of package.json and Cargo.toml, and CHANGELOG.md has to have that version.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root, SetupError } from './lib/project.mjs';
import { runMain } from './lib/run.mjs';

/** The newest glibc that a binary for `*-linux-gnu` may need: what Debian 11 and Ubuntu 20.04 have. */
const GLIBC_FLOOR = [2, 31];

/** `e_machine` of an ELF header, `cputype` of a Mach-O header, and `Machine` of a PE header. */
const PROCESSORS = {
  x86_64: { elf: 0x3e, macho: 0x0100_0007, pe: 0x8664 },
  aarch64: { elf: 0xb7, macho: 0x0100_000c, pe: 0xaa64 },
};

await runMain(async () => {
  const [directory, tag, project = root] = process.argv.slice(2);
  if (directory === undefined || tag === undefined)
    throw new SetupError('usage: check-release.mjs DIRECTORY TAG [PROJECT]');
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const faults = [
    ...checkVersion(project, tag, manifest.version),
    ...manifest.napi.targets.flatMap((target) => checkTarget(directory, target)),
    ...checkNothingElse(directory, manifest.napi.targets),
  ];
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  if (faults.length === 0)
    process.stdout.write(`${manifest.napi.targets.length} binaries, version ${manifest.version}\n`);
  return faults.length === 0 ? 0 : 1;
});

/**
 * @param {string} project
 * @param {string} tag
 * @param {string} version
 * @returns {string[]} what is wrong
 */
function checkVersion(project, tag, version) {
  const faults = [];
  if (tag !== `v${version}`) faults.push(`the tag is ${tag}, package.json says ${version}`);
  const crates = /^version = "(.+)"$/m.exec(readFileSync(join(project, 'Cargo.toml'), 'utf8'))?.[1];
  if (crates !== version) faults.push(`Cargo.toml says ${crates}, package.json ${version}`);
  const changes = readFileSync(join(project, 'CHANGELOG.md'), 'utf8');
  if (!changes.includes(`## [${version}]`)) faults.push(`CHANGELOG.md has no section for ${version}`);
  return faults;
}

/**
 * @param {string} directory
 * @param {string} target a Rust target triple
 * @returns {string[]} what is wrong
 */
function checkTarget(directory, target) {
  const folder = join(directory, `binding-${target}`);
  let files;
  try {
    files = readdirSync(folder);
  } catch {
    return [`${target}: there is no folder ${folder}`];
  }
  if (files.length !== 1) return [`${target}: ${files.length} files instead of one: ${files.join(', ')}`];
  const [processor, , system, libc] = target.split('-');
  const content = readFileSync(join(folder, files[0]));
  const expected = PROCESSORS[processor];
  if (system === 'darwin') {
    const fits =
      content.length > 8 && content.readUInt32LE(0) === 0xfeed_facf && content.readUInt32LE(4) === expected.macho;
    return fits ? [] : [`${target}: not a Mach-O binary for ${processor}`];
  }
  if (system === 'windows') {
    return processorOfPe(content) === expected.pe ? [] : [`${target}: not a Windows binary for ${processor}`];
  }
  const isElf = content.length > 64 && content.subarray(0, 6).equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]));
  if (!isElf || content.readUInt16LE(18) !== expected.elf) return [`${target}: not an ELF binary for ${processor}`];
  const newest = newestGlibc(content);
  if (libc === 'musl') return newest === null ? [] : [`${target}: needs glibc ${newest.join('.')}`];
  if (newest === null) return [`${target}: does not name glibc`];
  const [major, minor] = GLIBC_FLOOR;
  const tooNew = newest[0] > major || (newest[0] === major && newest[1] > minor);
  return tooNew ? [`${target}: needs glibc ${newest.join('.')}, promised is ${GLIBC_FLOOR.join('.')}`] : [];
}

/**
 * `Machine` of a PE file, whose header is where the number at 0x3c says.
 *
 * @param {Buffer} content
 * @returns {number | null}
 */
function processorOfPe(content) {
  if (content.length < 0x40 || content.toString('latin1', 0, 2) !== 'MZ') return null;
  const header = content.readUInt32LE(0x3c);
  if (header + 6 > content.length || content.toString('latin1', header, header + 4) !== 'PE\0\0') return null;
  return content.readUInt16LE(header + 4);
}

/**
 * The newest symbol version of glibc that an ELF file names.
 *
 * @param {Buffer} content
 * @returns {[number, number] | null}
 */
function newestGlibc(content) {
  let newest = null;
  for (const [, major, minor] of content.toString('latin1').matchAll(/\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)/g)) {
    const version = [Number(major), Number(minor)];
    if (newest === null || version[0] > newest[0] || (version[0] === newest[0] && version[1] > newest[1]))
      newest = version;
  }
  return newest;
}

/**
 * @param {string} directory
 * @param {string[]} targets
 * @returns {string[]} what is wrong
 */
function checkNothingElse(directory, targets) {
  const expected = new Set(targets.map((target) => `binding-${target}`));
  return readdirSync(directory)
    .filter((name) => !expected.has(name))
    .map((name) => `${name} belongs to no target of package.json`);
}
