/** A tree of small files, moved by the product and by what people use today. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { measureCommand } from '../command.mjs';
import { cliPath } from '../paths.mjs';

/** scp needs a round trip and more for each file. */
const PATIENCE_SECONDS = 20 * 60;

/**
 * @typedef {object} Tree
 * @property {string} source
 * @property {number} files
 * @property {number} bytes of all files
 */

/**
 * Makes a tree of `files` files of `length` random bytes each, evenly in `directories` directories.
 *
 * @returns {Tree}
 */
export function makeTree(source, files, directories, length) {
  const random = Buffer.alloc(length * 257);
  fs.mkdirSync(source);
  for (let at = 0; at < random.length; at += 1) random[at] = (Math.imul(at ^ (at >>> 7), 2654435761) >>> 13) & 0xff;
  for (let directory = 0; directory < directories; directory++) {
    const folder = path.join(source, `d${directory}`);
    fs.mkdirSync(folder);
    for (let file = directory; file < files; file += directories) {
      const start = (file * 61) % (random.length - length);
      fs.writeFileSync(path.join(folder, `f${file}`), random.subarray(start, start + length));
    }
  }
  return { source, files, bytes: files * length };
}

/** @throws {Error} unless two trees hold the same */
export function assertSameTree(one, other) {
  const { status, stdout } = spawnSync('diff', ['-r', '-q', one, other], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the copy differs: ${stdout.split('\n', 1)[0]}`);
}

/** The product's `send` or `get` of a directory. */
export async function productTree(daemon, verb, from, to, tree, { moves = tree.files } = {}) {
  const remote = (file) => `${daemon.host}:/${path.relative(daemon.root, file)}`;
  const addresses = verb === 'send' ? [from, remote(to)] : [remote(from), to];
  const { lines, ...sample } = await measureCommand({
    command: process.execPath,
    args: [cliPath, verb, ...addresses, ...daemon.options, '--json', '--progress', 'none'],
    env: daemon.env,
    serverPid: daemon.pid,
    bytes: tree.bytes,
    slowest: tree.bytes / PATIENCE_SECONDS,
  });
  const complete = lines.map((line) => JSON.parse(line)).find(({ type }) => type === 'complete');
  if (complete?.files !== moves || complete.failedFiles !== 0) {
    throw new Error(`the command moved ${complete?.files} files and not ${moves}`);
  }
  return { ...sample, transferSeconds: complete.seconds };
}

/** Another command that copies `tree` over ssh; `line` is one for the shell. */
export async function shellTree(sshd, line, tree) {
  const { lines: _, ...sample } = await measureCommand({
    command: 'sh',
    args: ['-c', line],
    env: sshd.env,
    serverPid: sshd.pid,
    forks: true,
    bytes: tree.bytes,
    slowest: tree.bytes / PATIENCE_SECONDS,
  });
  return sample;
}

/** `ssh` as one word of a shell line. */
export function sshCommand(sshd) {
  return ['ssh', '-p', `${sshd.port}`, ...sshd.options].join(' ');
}
