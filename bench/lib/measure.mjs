/** The measuring process: runs the suites and writes what they found. */
import fs from 'node:fs';
import path from 'node:path';
import { clientsSuite } from '../suites/clients.mjs';
import { deltaSuite } from '../suites/delta.mjs';
import { durabilitySuite } from '../suites/durability.mjs';
import { eventLoopSuite } from '../suites/event-loop.mjs';
import { filesSuite } from '../suites/files.mjs';
import { handshakesSuite } from '../suites/handshakes.mjs';
import { memorySuite } from '../suites/memory.mjs';
import { pumpSuite } from '../suites/pump.mjs';
import { resumeSuite } from '../suites/resume.mjs';
import { wanSuite } from '../suites/wan.mjs';
import { smallFilesSuite } from '../suites/small-files.mjs';
import { describeEnvironment } from './environment.mjs';
import { assertRoom, makeRandomFile } from './files.mjs';
import { inside, setUpInside } from './namespace.mjs';
import { Stopped, stopAll } from './processes.mjs';
import { render, writeResults } from './report.mjs';

/** Copies of the file that lie in the scratch folder at one time. */
const COPIES = 4;

const suites = {
  pump: pumpSuite,
  files: filesSuite,
  clients: clientsSuite,
  memory: memorySuite,
  handshakes: handshakesSuite,
  'event-loop': eventLoopSuite,
  wan: wanSuite,
  resume: resumeSuite,
  delta: deltaSuite,
  durability: durabilitySuite,
  'small-files': smallFilesSuite,
};

/**
 * @typedef {object} Bench
 * @property {import('./options.mjs').Options} options
 * @property {string} scratch folder for files
 * @property {string} diskScratch folder for the sparse file
 * @property {() => string} source the file to move; made at the first call
 * @property {(file: string) => void} remove
 * @property {(line: string) => void} log
 * @property {number[]} foreignLoads busy share of all cores before each round
 */

/**
 * @typedef {object} SuiteReport
 * @property {string} title
 * @property {string[]} text lines of Markdown
 * @property {import('./gates.mjs').Gate[]} gates
 * @property {Map<string, import('./rounds.mjs').CaseResult>} results
 */

/** @typedef {(bench: Bench) => Promise<SuiteReport>} Suite */

/**
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<number>} exit code: 0, 1 when something failed, 130 when interrupted
 */
export async function measure(options) {
  const { scratch, diskScratch } = inside();
  const stop = () => {
    stopAll();
    for (const folder of [scratch, diskScratch]) fs.rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  try {
    const conditions = setUpInside(stop);
    assertRoom(scratch, options.fileBytes * COPIES);
    return await runSuites(options, conditions, newBench(options, scratch, diskScratch));
  } catch (error) {
    if (error instanceof Stopped) return 130;
    process.stderr.write(`bench: ${error.stack}\n`);
    return 1;
  } finally {
    stopAll();
  }
}

/** @returns {Bench} */
function newBench(options, scratch, diskScratch) {
  const source = path.join(scratch, 'source');
  return {
    options,
    scratch,
    diskScratch,
    source() {
      if (!fs.existsSync(source)) makeRandomFile(source, options.fileBytes);
      return source;
    },
    remove: (file) => fs.rmSync(file, { recursive: true, force: true }),
    log: (line) => process.stderr.write(`${line}\n`),
    foreignLoads: [],
  };
}

async function runSuites(options, conditions, bench) {
  const reports = [];
  let environment = [];
  for (const name of options.suites) {
    bench.log(`${name}:`);
    bench.foreignLoads.length = 0;
    const report = await suites[name](bench);
    reports.push(report);
    environment = describeEnvironment(options, conditions, bench);
    const markdown = render(name, environment, report);
    process.stdout.write(`\n${markdown}\n`);
    if (options.write) writeResults(name, Object.keys(suites), markdown);
  }
  if (options.json !== null) writeSamples(options.json, environment, reports);
  const failed = reports.some(({ results }) => [...results.values()].some((r) => r.failure !== null));
  return failed ? 1 : 0;
}

function writeSamples(file, environment, reports) {
  const sections = reports.map(({ title, gates, results }) => ({
    title,
    gates,
    results: [...results.values()],
  }));
  fs.writeFileSync(file, `${JSON.stringify({ environment, sections }, null, 2)}\n`);
}
