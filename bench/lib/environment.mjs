/** What the figures depend on: machine, versions, conditions. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findProgram, projectRoot } from './paths.mjs';
import { median } from './stats.mjs';

/** File systems by the magic number of statfs(2). */
const FILE_SYSTEMS = new Map([
  [0x01021994, 'tmpfs'],
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlayfs'],
]);

/** Options whose value is a path. */
const PATH_OPTIONS = new Set(['--json', '--dir', '--disk-dir', '--sshd']);

/**
 * @param {import('./options.mjs').Options} options
 * @param {{isolated: boolean, congestion: string}} conditions
 * @param {import('./measure.mjs').Bench} bench
 * @returns {[string, string][]} label and value
 */
export function describeEnvironment(options, conditions, bench) {
  const cpus = os.cpus();
  const sshd = options.sshd ?? findProgram('sshd', ['/usr/sbin', '/usr/local/sbin']);
  const loads = bench.foreignLoads.map((load) => Math.round(load * 100));
  return [
    ['Date', `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['Command', commandLine(process.argv.slice(2))],
    ['e2eeftp', `${packageVersion('.')}, ${commit()}`],
    ['CPU', `${cpus.length} × ${cpus[0]?.model ?? 'unknown'}`],
    ['Memory', `${Math.round(os.totalmem() / 2 ** 30)} GiB`],
    ['Kernel', `${os.type()} ${os.release()}`],
    ['Congestion control', congestion(conditions)],
    ['Files', `${fileSystem(bench.scratch)}; sparse file on ${fileSystem(bench.diskScratch)}`],
    [
      'Size, rounds',
      `${options.fileBytes / 2 ** 20} MiB; 1 warm-up and ${options.rounds} measured rounds, interleaved`,
    ],
    [
      'Foreign load',
      loads.length === 0 ? '–' : `${median(loads)} % of all cores before a round (worst ${Math.max(...loads)} %)`,
    ],
    ['Node.js', process.version],
    ['Rust', firstLine('rustc', ['--version'])],
    ['OpenSSH', `${firstLine('ssh', ['-V'])}; sshd: ${sshd ?? 'none'}`],
    ['npm ssh2', packageVersion('node_modules/ssh2')],
  ];
}

/** The command line, without the paths of this machine. */
function commandLine(args) {
  const words = args.map((word, index) => (PATH_OPTIONS.has(args[index - 1]) ? '…' : word));
  return ['npm run bench --', ...words].join(' ').replace(/ --$/, '');
}

function congestion({ isolated, congestion: name }) {
  return isolated
    ? `${name}, for every peer, in a network namespace of the bench`
    : `${name}, the system's: namespaces were not permitted`;
}

function fileSystem(folder) {
  const { type } = fs.statfsSync(folder);
  return FILE_SYSTEMS.get(type) ?? `file system 0x${type.toString(16)}`;
}

function packageVersion(folder) {
  const file = path.join(projectRoot, folder, 'package.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : 'not installed';
}

function commit() {
  const hash = firstLine('git', ['-C', projectRoot, 'rev-parse', '--short', 'HEAD']);
  if (!/^[0-9a-f]+$/.test(hash)) return 'not committed yet';
  const changed = firstLine('git', ['-C', projectRoot, 'status', '--porcelain']) !== '';
  return `commit ${hash}${changed ? ' with changes' : ''}`;
}

/** The first line that a program prints, wherever it prints it. */
function firstLine(command, args) {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return error ? 'none' : `${stdout}${stderr}`.trim().split('\n', 1)[0];
}
