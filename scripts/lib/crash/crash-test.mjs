// The course of the crash test: kills, restarts, and what is looked at in between.

import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Expectations, reservedFiles } from './expectations.mjs';
import { describeFault, drawFault } from './faults.mjs';
import { Program } from './program.mjs';
import { Random } from './random.mjs';
import { Worker } from './worker.mjs';

const REPORT_MS = 30_000;
/** Leftovers are made this old before the server is started a last time: older than any expiry. */
const EXPIRED_MS = 400 * 24 * 3600 * 1000;
const CLEAN_MS = 20_000;

/**
 * @typedef {object} CrashOptions
 * @property {number} minutes
 * @property {number} kills it goes on until so many processes were killed
 * @property {string} seed
 * @property {number} faults share of the servers that have a failing disk
 * @property {number} workers
 */

export class CrashTest {
  #options;
  #random;
  #program;
  #expectations;
  #workers;
  /** @type {import('./faults.mjs').Fault | null} */
  #fault = null;
  #isOver = false;
  #passed = 0;
  #failed = 0;
  #serverKills = 0;
  #clientKills = 0;
  #files = 0;
  /** @type {Map<string, number>} */
  #counts = new Map();
  #reportAt = Date.now() + REPORT_MS;

  /** @param {string} folder exists and is empty @param {CrashOptions} options */
  constructor(folder, options) {
    this.#options = options;
    this.#random = new Random(`${options.seed} kills`);
    this.#program = new Program(folder);
    this.#expectations = new Expectations(this.#program.tree);
    const shared = {
      program: this.#program,
      expectations: this.#expectations,
      onKill: () => {
        this.#clientKills += 1;
      },
      fault: () => this.#fault,
      isOver: () => this.#isOver,
      violation: (what) => this.#violation(what),
      count: (what) => this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1),
    };
    this.#workers = Array.from({ length: options.workers }, (_, number) => {
      const name = `w${number}`;
      const random = new Random(`${options.seed} ${name}`);
      return new Worker(name, join(folder, name), options.seed, random, shared);
    });
  }

  /** @returns {Promise<number>} exit status */
  async run() {
    await this.#program.prepare();
    const until = Date.now() + this.#options.minutes * 60_000;
    const isEnough = () => Date.now() >= until && this.#serverKills + this.#clientKills >= this.#options.kills;
    await this.#startServer();
    const working = this.#workers.map((worker) => worker.run());
    // An error of a worker ends the test, not only the worker.
    let isBroken = () => false;
    const watched = Promise.all(working).catch((error) => {
      isBroken = () => true;
      throw error;
    });
    watched.catch(() => {});
    while (!isEnough() && !isBroken()) {
      await sleep(this.#random.between(300, 4000));
      await this.#endServer(this.#random.chance(0.9) ? 'SIGKILL' : 'SIGTERM');
      await sleep(this.#random.between(0, 500));
      await this.#startServer();
      if (Date.now() > this.#reportAt) this.#progress();
    }
    this.#isOver = true;
    await watched;
    await this.#finish();
    this.#progress();
    for (const [what, number] of [...this.#counts].toSorted(([one], [other]) => (one < other ? -1 : 1)))
      process.stdout.write(`  ${number} × ${what}\n`);
    process.stdout.write(`${this.#passed} passed, ${this.#failed} failed\n`);
    return this.#failed === 0 && this.#passed > 0 ? 0 : 1;
  }

  /** Ends everything at once. */
  stop() {
    this.#isOver = true;
    this.#program.killAll();
  }

  async #startServer() {
    const fault = this.#random.chance(this.#options.faults) ? drawFault(this.#random) : null;
    this.#fault = fault;
    const told = await this.#program.startServer(fault);
    if (told === null) return;
    // A failing disk can keep it from starting, and then it says so.
    if (!/^error\[E2EEFTP_\w+\]/m.test(told)) this.#violation(`the server did not start, and said: ${told}`);
    this.#counts.set('server not started', (this.#counts.get('server not started') ?? 0) + 1);
    this.#fault = null;
    await this.#program.startServer(null);
  }

  /** Ends the server and looks at the tree, which nobody can change then. */
  async #endServer(signal) {
    const { unasked, told } = await this.#program.endServer(signal);
    this.#serverKills += 1;
    if (unasked) this.#violation(`the server ended by itself: ${told}`);
    if (/panicked|FATAL|Assertion/.test(told)) this.#violation(`the server said: ${told}`);
    this.#settle();
  }

  #settle() {
    const { files, violations } = this.#expectations.settle();
    for (const violation of violations) this.#violation(violation);
    this.#files = files;
    if (violations.length === 0) this.#passed += 1;
  }

  /** Nobody is killed any more: everything has to succeed, and nothing may be left. */
  async #finish() {
    await this.#endServer('SIGKILL');
    this.#fault = null;
    await this.#program.startServer(null);
    for (const worker of this.#workers) await worker.finish();
    await this.#endServer('SIGTERM');
    const places = [this.#program.tree, ...this.#workers.map(({ localFolder }) => localFolder)];
    const long = new Date(Date.now() - EXPIRED_MS);
    for (const place of places) {
      for (const path of reservedFiles(place)) utimesSync(join(place, path), long, long);
    }
    await this.#program.startServer(null);
    for (const worker of this.#workers) await worker.finish();
    const left = () => places.flatMap((place) => reservedFiles(place));
    for (let waited = 0; left().length > 0 && waited < CLEAN_MS; waited += 100) await sleep(100);
    if (left().length > 0) this.#violation(`left behind after expiry: ${left().join(', ')}`);
    else this.#passed += 1;
    await this.#endServer('SIGTERM');
    if (existsSync(join(this.#program.tree, '..', 'port.json'))) this.#violation('the port file was left behind');
  }

  #violation(what) {
    this.#failed += 1;
    const state = `seed ${this.#options.seed}, ${this.#serverKills} + ${this.#clientKills} kills, ${describeFault(this.#fault)}`;
    process.stdout.write(`✗ ${what}\n  (${state})\n`);
  }

  #progress() {
    this.#reportAt = Date.now() + REPORT_MS;
    const done = [...this.#counts].reduce((sum, [what, number]) => sum + (what.endsWith('done') ? number : 0), 0);
    process.stdout.write(
      `  ${this.#serverKills} servers and ${this.#clientKills} clients ended, ${done} operations done, ${this.#files} files, ${this.#failed} violations\n`,
    );
  }
}
