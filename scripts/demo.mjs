// `npm run demo [-- FILE]`: the main job on a real file, from a fresh checkout. Installs, builds,
// makes keys, starts a server, sends FILE and gets it back through the real command line, compares,
// and leaves nothing behind: no process, no file.
//
//   npm run demo                      with a file of 1 GiB made for it
//   npm run demo -- FILE              with your file, which is only read
//   npm run demo -- --size 64         with a made file of that many MiB
//
// Works in a folder of its own under TMPDIR; needs room for two copies of the file there.

import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

import { makeFile, sha256 } from './lib/files.mjs';
import { Product } from './lib/product.mjs';
import { SetupError } from './lib/project.mjs';
import { runMain } from './lib/run.mjs';
import { setUp, step } from './lib/setup.mjs';

const MIB = 2 ** 20;

await runMain(async () => {
  const { file, sizeMib, build } = parseArguments(process.argv.slice(2));
  if (build) await setUp();

  const folder = mkdtempSync(join(tmpdir(), 'e2eeftp-demo-'));
  const product = new Product(folder);
  const stop = new AbortController();
  const interrupt = () => stop.abort(new SetupError('Interrupted.'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    await demonstrate(product, folder, { file, sizeMib, signal: stop.signal });
  } finally {
    await product.stopServer();
    rmSync(folder, { recursive: true, force: true });
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
  return 0;
});

/**
 * @param {Product} product
 * @param {string} folder
 * @param {{file: string | undefined, sizeMib: number, signal: AbortSignal}} options
 */
async function demonstrate(product, folder, { file, sizeMib, signal }) {
  const size = file === undefined ? sizeMib * MIB : statSync(file).size;
  requireRoom(folder, size * (file === undefined ? 3 : 2));
  const source = file ?? join(folder, 'demo.bin');
  if (file === undefined) {
    step(`Making a file of ${sizeMib} MiB`);
    await makeFile(source, size, signal);
  }
  const before = await sha256(source, signal);

  step('Keys and server');
  const identity = await product.makeClientKey(signal);
  const server = await product.startServer(signal);
  say(`server  ${server.host}:${server.port}  ${server.fingerprint}`);
  say(`client  ${identity.fingerprint}`);

  step('Send and get back');
  const name = basename(source);
  const sent = await product.send(source, `/${name}`, signal);
  say(`sent      ${transferred(sent)}`);
  const copyFolder = join(folder, 'received');
  mkdirSync(copyFolder);
  const copy = join(copyFolder, name);
  const got = await product.get(`/${name}`, copy, signal);
  say(`received  ${transferred(got)}`);

  const after = await sha256(copy, signal);
  if (after !== before || sent.root !== got.root) {
    throw new SetupError(`The copy differs: SHA-256 ${before} became ${after}.`);
  }
  await product.stopServer();
  say('');
  say(`BLAKE3   ${sent.root}  as the sender and the receiver computed it on the way`);
  say(`SHA-256  ${before}  of the original and of the copy, computed here: they match`);
}

/** @param {string[]} args */
function parseArguments(args) {
  const usage = 'Usage: npm run demo -- [FILE | --size MIB] [--no-build]';
  let file;
  let sizeMib = 1024;
  let build = true;
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index];
    if (arg === '--no-build') build = false;
    else if (arg === '--size') {
      index += 1;
      sizeMib = Number(args[index]);
    } else if (arg.startsWith('-') || file !== undefined) throw new SetupError(usage);
    else file = resolve(process.env.INIT_CWD ?? '.', arg);
  }
  if (!Number.isSafeInteger(sizeMib) || sizeMib < 0) throw new SetupError(usage);
  if (file !== undefined && !(existsSync(file) && statSync(file).isFile())) {
    throw new SetupError(`${file} is not a file.`);
  }
  return { file, sizeMib, build };
}

/**
 * @param {string} folder
 * @param {number} bytes
 */
function requireRoom(folder, bytes) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < bytes * 1.05 + 16 * MIB) {
    throw new SetupError(
      `${folder} has room for ${Math.floor((bavail * bsize) / MIB)} MiB, the demo needs ${Math.ceil(bytes / MIB)}: set TMPDIR to a larger file system, or use a smaller file.`,
    );
  }
}

/** @param {import('./lib/product.mjs').Complete} complete */
function transferred({ bytes, seconds }) {
  const rate = seconds > 0 ? `${(bytes / seconds / MIB).toFixed(0)} MiB/s` : '';
  return `${bytes} bytes in ${seconds.toFixed(2)} s  ${rate}  verified`;
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}
