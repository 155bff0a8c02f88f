/** 100,000 files of 4 KiB in 500 directories: the product, rsync, tar and scp over ssh, and `cp -r`. */
import fs from 'node:fs';
import path from 'node:path';
import { measureCommand } from '../lib/command.mjs';
import { gate } from '../lib/gates.mjs';
import { findProgram } from '../lib/paths.mjs';
import { productMissing, startDaemon } from '../lib/peers/e2eeftp.mjs';
import { startSshd } from '../lib/peers/sshd.mjs';
import { assertSameTree, makeTree, productTree, shellTree, sshCommand } from '../lib/peers/trees.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, figure, range, table } from '../lib/tables.mjs';

const LENGTH = 4096;
const PER_DIRECTORY = 200;
/** Entries of the smaller one of two trees whose memory is compared. */
const FEW = 10_000;

const perSecond = ({ seconds }) => 1 / seconds;

/** @type {import('../lib/measure.mjs').Suite} */
export async function smallFilesSuite(bench) {
  const folder = (name) => path.join(bench.scratch, name);
  const close = [];
  const attempt = async (missing, starter) => {
    if (missing !== null) return { server: null, missing };
    try {
      const server = await starter();
      close.push(() => server.close());
      return { server, missing: null };
    } catch (error) {
      bench.log(`  ${error.message}`);
      return { server: null, missing: error.message.split('\n', 1)[0] };
    }
  };
  const e2eeftp = await attempt(productMissing(), () => startDaemon(folder('e2eeftp')));
  const sshd = await attempt(null, () => startSshd(folder('sshd'), bench.options.sshd));
  try {
    const { smallFiles } = bench.options;
    const tree = makeTree(folder('tree'), smallFiles, Math.ceil(smallFiles / PER_DIRECTORY), LENGTH);
    const results = await runRounds(cases(bench, tree, e2eeftp, sshd), bench);
    const memory = await runRounds(memoryCases(bench, e2eeftp), { ...bench, options: { ...bench.options, rounds: 1 } });
    for (const [name, result] of memory) results.set(name, result);
    return report(tree, results);
  } finally {
    for (const end of close) await end();
    for (const name of ['e2eeftp', 'sshd', 'tree', 'copy', 'ssh-copy']) bench.remove(folder(name));
  }
}

function cases(bench, tree, e2eeftp, sshd) {
  const copy = path.join(bench.scratch, 'copy');
  const sshCopy = path.join(bench.scratch, 'ssh-copy');
  const clean = (...folders) => {
    for (const each of folders) fs.rmSync(each, { recursive: true, force: true });
  };
  const served = (name) => path.join(e2eeftp.server.root, name);
  const into =
    (target, run, again) =>
    async ({ warmUp }) => {
      if (!again || !fs.existsSync(target)) clean(target);
      const sample = await run(target);
      if (warmUp) assertSameTree(tree.source, target);
      if (!again) clean(target);
      return sample;
    };
  const overSsh = (line) => (target) => {
    const { server } = sshd;
    return shellTree(server, line(server, `${server.user}@${server.host}`, target), tree);
  };
  const rsync = overSsh(
    (server, host, target) => `rsync -a -e '${sshCommand(server)}' ${tree.source}/ ${host}:${target}/`,
  );
  const withRsync = findProgram('rsync') === null ? { missing: 'no rsync here: apt-get install rsync' } : sshd;
  const tar = overSsh(
    (server, host, target) =>
      `tar -C ${tree.source} -cf - . | ${sshCommand(server)} ${host} 'mkdir -p ${target} && tar -C ${target} -xf -'`,
  );
  const scp = overSsh(
    (server, host, target) =>
      `scp -q -r -p -P ${server.port} ${server.options.join(' ')} ${tree.source} ${host}:${target}`,
  );
  const send = (moves) => (target) => productTree(e2eeftp.server, 'send', tree.source, target, tree, { moves });
  const get = (moves) => (target) => productTree(e2eeftp.server, 'get', served('stays'), target, tree, { moves });
  const list = [
    { name: 'cp -r', run: into(copy, (target) => copyLocally(tree, target)) },
    { name: 'send', ...missing(e2eeftp), run: ({ warmUp }) => into(served('new'), send(tree.files))({ warmUp }) },
    { name: 'rsync -a', ...missing(withRsync), run: into(sshCopy, rsync) },
    { name: 'tar | ssh tar', ...missing(sshd), run: into(sshCopy, tar) },
    {
      name: 'send, nothing changed',
      ...missing(e2eeftp),
      run: async ({ warmUp }) => {
        if (warmUp) await into(served('stays'), send(tree.files), true)({ warmUp });
        return into(served('stays'), send(0), true)({ warmUp });
      },
    },
    {
      name: 'rsync -a, nothing changed',
      ...missing(withRsync),
      run: async ({ warmUp }) => {
        const there = path.join(bench.scratch, 'ssh-copy-stays');
        if (warmUp) await into(there, rsync, true)({ warmUp });
        return into(there, rsync, true)({ warmUp });
      },
    },
    { name: 'get', ...missing(e2eeftp), run: into(copy, get(tree.files)) },
  ];
  // It takes a minute and more: one measured run, and none to warm up.
  let once = null;
  list.push({
    name: 'scp -r',
    ...missing(sshd),
    run: async () => {
      once ??= await into(sshCopy, scp)({ warmUp: true });
      return once;
    },
  });
  return list;
}

const missing = ({ missing: reason }) => ({ missing: reason });

async function copyLocally(tree, target) {
  const { lines: _, ...sample } = await measureCommand({
    command: 'cp',
    args: ['-r', tree.source, target],
    env: process.env,
    serverPid: process.pid,
    bytes: tree.bytes,
  });
  return sample;
}

/** Peak memory of both sides for few and for many empty files: new processes for each. */
function memoryCases(bench, e2eeftp) {
  const { manyFiles } = bench.options;
  return [FEW, manyFiles].map((count) => ({
    name: `memory, ${count}`,
    ...missing(e2eeftp),
    run: async ({ warmUp }) => {
      if (warmUp) return {};
      const folder = path.join(bench.scratch, `memory-${count}`);
      fs.mkdirSync(folder);
      const daemon = await startDaemon(path.join(folder, 'e2eeftp'));
      try {
        const tree = makeTree(path.join(folder, 'tree'), count, count / 2000, 1);
        return await productTree(daemon, 'send', tree.source, path.join(daemon.root, 'new'), tree);
      } finally {
        await daemon.close();
        fs.rmSync(folder, { recursive: true, force: true });
      }
    },
  }));
}

function report(tree, results) {
  const named = (name) => results.get(name);
  const samples = (name) => named(name)?.samples ?? [];
  const faster = (name, other) => medianRatio(samples(name), perSecond, samples(other));
  const heads = ['peer', 'seconds (min–max)', 'files/s', 'of cp -r', 'client CPU s', 'server CPU s'];
  const rows = [
    'cp -r',
    'send',
    'get',
    'rsync -a',
    'tar | ssh tar',
    'scp -r',
    'send, nothing changed',
    'rsync -a, nothing changed',
  ];
  const memory = [...results.keys()].filter((name) => name.startsWith('memory, '));
  const peak = (name, side) => median(samples(name).map((sample) => sample[side])) / 1e6;
  const growth = (side) => peak(memory[1], side) - peak(memory[0], side);
  const text = [
    `${tree.files} files of ${LENGTH} bytes, ${PER_DIRECTORY} to a directory, warm cache, whole commands. scp runs once.`,
    '',
    table(
      heads,
      rows.map((name) => row(name, named(name), tree, faster(name, 'cp -r'), heads)),
    ),
    '',
    table(
      ['files', 'client MB', 'server MB'],
      memory.map((name) => [
        name.replace('memory, ', ''),
        absence(named(name)) ?? figure(peak(name, 'clientMemory'), 0),
        absence(named(name)) ?? figure(peak(name, 'serverMemory'), 0),
      ]),
    ),
  ];
  const gates = [
    gate('small files: send against rsync -a over ssh', faster('send', 'rsync -a'), { least: 3 }),
    gate('small files: send against tar over ssh', faster('send', 'tar | ssh tar'), { least: 2 }),
    gate('small files: send against scp -r', faster('send', 'scp -r'), { least: 20 }),
    gate('small files: time of send against that of cp -r', 1 / faster('send', 'cp -r'), { most: 2.5 }),
    gate('small files: nothing changed, against rsync', faster('send, nothing changed', 'rsync -a, nothing changed'), {
      least: 1,
    }),
    gate('small files: more client memory for a hundred times the files', growth('clientMemory'), {
      most: 16,
      unit: 'MB',
      digits: 0,
    }),
    gate('small files: more server memory for a hundred times the files', growth('serverMemory'), {
      most: 16,
      unit: 'MB',
      digits: 0,
    }),
  ];
  return { title: 'Many small files', text, gates, results };
}

function row(name, result, tree, ofCopy, heads) {
  const absent = absence(result);
  if (absent !== null) return [name, absent, ...heads.slice(2).map(() => '')];
  const { samples } = result;
  const middle = (value) => median(samples.map(value));
  return [
    name,
    range(samples.map(({ seconds }) => seconds)),
    figure(
      middle(({ seconds }) => tree.files / seconds),
      0,
    ),
    figure(ofCopy),
    figure(middle(({ clientCpu }) => clientCpu)),
    figure(middle(({ serverCpu }) => serverCpu)),
  ];
}
