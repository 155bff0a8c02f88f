// One client after the other, over a folder of its own on the server: sends, fetches, moves, copies
// and deletes, and holds each answer against what may be true.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ABSENT, sha256 } from './expectations.mjs';
import { writeContent } from './random.mjs';

const NAMES = 8;
const LARGEST = 64 * 2 ** 20;
/** What is tried: weights. */
const OPERATIONS = [
  ['send', 50],
  ['get', 20],
  ['mv', 12],
  ['cp', 6],
  ['rm', 10],
  ['hash', 6],
  ['sync', 10],
  ['get tree', 4],
];
/** Files of the directory that is kept equal on the server; every seventh is too large for the dialog of a tree. */
const TREE_FILES = 14;
const SMALL_TREE_FILE = 2 ** 18;
const LARGE_TREE_FILE = 3 * 2 ** 20;
const UP_STEP_MS = 20;
/** Share of the clients that are killed unless they end before. */
const KILLED = 0.4;
const LATEST_KILL_MS = 2000;

/**
 * @typedef {object} Shared what all workers have in common
 * @property {import('./program.mjs').Program} program
 * @property {import('./expectations.mjs').Expectations} expectations
 * @property {() => void} onKill a client was killed
 * @property {() => import('./faults.mjs').Fault | null} fault of the server that runs
 * @property {() => boolean} isOver
 * @property {(what: string) => void} violation
 * @property {(what: string) => void} count
 */

export class Worker {
  #name;
  #random;
  #shared;
  #folder;
  #seed;
  #contents = 0;
  /** @type {Map<string, string>} SHA-256 of fetched files by name */
  #fetched = new Map();
  /** @type {Map<string, {source: string, content: string}>} sends without an answer, by path */
  #unanswered = new Map();
  /** @type {Map<string, string>} BLAKE3 that was acknowledged, by SHA-256 */
  #roots = new Map();

  /**
   * @param {string} name of its folder on the server
   * @param {string} folder for its own files
   * @param {string} seed
   * @param {import('./random.mjs').Random} random
   * @param {Shared} shared
   */
  constructor(name, folder, seed, random, shared) {
    this.#name = name;
    this.#folder = folder;
    this.#seed = seed;
    this.#random = random;
    this.#shared = shared;
    mkdirSync(join(folder, 'out'), { recursive: true });
    mkdirSync(this.localFolder);
    mkdirSync(this.#treeSource);
    mkdirSync(join(shared.program.tree, name));
  }

  /** Where fetched files go. */
  get localFolder() {
    return join(this.#folder, 'in');
  }

  get #treeSource() {
    return join(this.#folder, 'tree');
  }

  /** Works until it is over. */
  async run() {
    const { isOver, program } = this.#shared;
    while (!isOver()) {
      // Now and then a client meets no server.
      while (!program.isUp && !isOver() && !this.#random.chance(0.01)) await sleep(UP_STEP_MS);
      const again = [...this.#unanswered.keys()];
      if (again.length > 0 && this.#random.chance(0.5)) await this.#send(this.#random.pick(again));
      else await this.#operate(this.#random.weighted(OPERATIONS));
    }
  }

  /** With a server that nobody kills: what had no answer is sent again, and has to succeed. */
  async finish() {
    for (const path of this.#unanswered.keys()) {
      await this.#send(path);
      if (this.#unanswered.has(path)) this.#shared.violation(`${path}: it could not be sent again`);
    }
    await this.#syncTree();
    await this.#getTree();
    // Whatever is fetched next cleans up what earlier clients have left here.
    if (this.#paths(true).length === 0) await this.#sendNew(this.#random.pick(this.#paths(false)));
    await this.#get(this.#random.pick(this.#paths(true)));
  }

  /** @returns {string[]} paths that surely are there, or surely are not, and that nothing works on */
  #paths(isThere) {
    const { expectations } = this.#shared;
    return Array.from({ length: NAMES }, (_, number) => `${this.#name}/f${number}`).filter((path) => {
      const content = expectations.certain(path);
      return content !== null && !expectations.isOpen(path) && (content !== ABSENT) === isThere;
    });
  }

  async #operate(operation) {
    if (operation === 'sync') return this.#syncTree();
    if (operation === 'get tree') return this.#getTree();
    const there = this.#paths(true);
    const free = this.#paths(false);
    if (operation === 'send') {
      const path = this.#random.pick([...there, ...free, null]);
      if (path !== null) await this.#sendNew(path);
      else await sleep(UP_STEP_MS);
      return;
    }
    if (there.length === 0) return;
    const path = this.#random.pick(there);
    const others = [...there, ...free].filter((other) => other !== path);
    if (operation === 'get') await this.#get(path);
    else if (operation === 'rm') await this.#change(['rm', this.#remote(path)], new Map([[path, ABSENT]]));
    else if (operation === 'hash') await this.#hash(path);
    else if (others.length > 0) await this.#moveOrCopy(operation, path, this.#random.pick(others));
  }

  #remote(path) {
    return this.#shared.program.remote(path);
  }

  async #sendNew(path) {
    this.#contents += 1;
    const source = join(this.#folder, 'out', `${this.#contents}`);
    const content = writeContent(source, this.#size(), `${this.#seed} ${this.#name} ${this.#contents}`);
    this.#unanswered.set(path, { source, content });
    await this.#send(path);
  }

  async #send(path) {
    const { source, content } = this.#unanswered.get(path);
    const args = ['send', '--progress', 'none', source, this.#remote(path)];
    const { complete } = await this.#change(args, new Map([[path, content]]), null, { isSend: true });
    if (complete === undefined) return;
    // None when it was there already, with the same length and time.
    if (complete.root !== null) this.#roots.set(content, complete.root);
    this.#unanswered.delete(path);
    rmSync(source);
  }

  /** @returns {string[]} the names in the directory that is kept equal */
  #treeNames() {
    return Array.from({ length: TREE_FILES }, (_, number) => `d${number % 3}/t${number}`);
  }

  #treePath(name) {
    return `${this.#name}/tree/${name}`;
  }

  /** Changes some files of a directory, removes some, and makes the server's equal to it. */
  async #syncTree() {
    const effects = new Map();
    for (const [number, name] of this.#treeNames().entries()) {
      const file = join(this.#treeSource, name);
      if (this.#random.chance(0.15)) rmSync(file, { force: true });
      else if (!existsSync(file) || this.#random.chance(0.4)) {
        this.#contents += 1;
        mkdirSync(dirname(file), { recursive: true });
        const most = number % 7 === 0 ? LARGE_TREE_FILE : SMALL_TREE_FILE;
        writeContent(file, this.#random.between(0, most), `${this.#seed} ${this.#name} ${this.#contents}`);
      }
      effects.set(this.#treePath(name), sha256(file));
    }
    const target = this.#remote(`${this.#name}/tree`);
    await this.#change(['sync', '--delete', '--progress', 'none', this.#treeSource, target], effects, null, {
      isTree: true,
    });
  }

  /** Fetches the directory into an empty one and holds what arrived against what may be there. */
  async #getTree() {
    const { expectations, violation } = this.#shared;
    const expected = new Map(this.#treeNames().map((name) => [name, expectations.certain(this.#treePath(name))]));
    // A sync whose outcome nobody has heard, or none at all so far.
    if ([...expected.values()].some((content) => content === null)) return;
    if ([...expected.values()].every((content) => content === ABSENT)) return;
    const copy = join(this.#folder, 'tree-copy');
    rmSync(copy, { recursive: true, force: true });
    const { complete } = await this.#run(['get', '--progress', 'none', this.#remote(`${this.#name}/tree`), copy]);
    for (const [name, content] of expected) {
      const found = sha256(join(copy, name));
      const isRight = found === content || (complete === undefined && found === ABSENT);
      if (!isRight) violation(`get of ${this.#treePath(name)} left ${found.slice(0, 12)} instead of ${content}`);
    }
  }

  async #moveOrCopy(operation, from, to) {
    const content = this.#shared.expectations.certain(from);
    const effects = new Map([[to, content]]);
    if (operation === 'mv') effects.set(from, ABSENT);
    const moves = operation === 'mv' ? content : null;
    await this.#change([operation, this.#remote(from), this.#remote(to)], effects, moves);
  }

  /** Runs an operation that changes the server's tree. */
  async #change(args, effects, moves = null, { isSend = false, isTree = false } = {}) {
    const { expectations, violation, fault } = this.#shared;
    const id = expectations.begin(effects, moves);
    const faultBefore = fault();
    const outcome = await this.#run(args);
    // A send is acknowledged by its event, even if the client is killed after that.
    const isDone = isSend || isTree ? outcome.complete !== undefined : outcome.code === 0;
    if (!isDone) {
      expectations.abandon(id);
      return outcome;
    }
    expectations.acknowledge(id);
    if (isSend && faultBefore?.isAlways && fault() === faultBefore) {
      const { sentBytes, skippedFiles } = outcome.complete;
      const isWritten = skippedFiles === 0 && (faultBefore.kind !== 'write' || sentBytes > 0);
      if (isWritten) violation(`${args[0]} succeeded although every ${faultBefore.kind} fails`);
    }
    return outcome;
  }

  async #get(path) {
    const { expectations, violation } = this.#shared;
    const name = path.split('/').at(-1);
    const file = join(this.localFolder, name);
    const expected = expectations.certain(path);
    const before = this.#fetched.get(name) ?? ABSENT;
    const { complete } = await this.#run(['get', '--progress', 'none', this.#remote(path), file]);
    const found = sha256(file);
    const allowed = complete === undefined ? [before, expected] : [expected];
    if (!allowed.includes(found)) {
      const kind = complete === undefined ? 'unfinished' : 'acknowledged';
      violation(`${kind} get of ${path} left ${found.slice(0, 12)} instead of ${allowed.join(' or ').slice(0, 40)}`);
    }
    this.#fetched.set(name, found);
    const root = this.#roots.get(expected);
    const isSkipped = complete?.root === null;
    if (isSkipped && complete.skippedFiles !== 1) violation(`get of ${path} has no root and was not skipped`);
    if (complete !== undefined && !isSkipped && root !== undefined && complete.root !== root) {
      violation(`get of ${path}: root ${complete.root} instead of ${root}`);
    }
  }

  /** Holds the server's own BLAKE3 of a file against the one that was acknowledged. */
  async #hash(path) {
    const root = this.#roots.get(this.#shared.expectations.certain(path));
    if (root === undefined) return;
    const { events } = await this.#run(['hash', this.#remote(path)]);
    const found = events.find(({ type }) => type === 'result')?.result.root;
    if (found !== undefined && found !== root) this.#shared.violation(`hash of ${path}: ${found} instead of ${root}`);
  }

  /** Runs a client and judges whether its end is explained by what was done to it. */
  async #run(args) {
    const { program, violation, count, fault, isOver, onKill } = this.#shared;
    const changesBefore = program.changes;
    const wasUp = program.isUp;
    const running = program.client(args);
    const child = [...program.clients].at(-1);
    let isKilled = false;
    const kill = () => {
      isKilled = child.kill('SIGKILL');
      if (isKilled) onKill();
    };
    const isVictim = !isOver() && this.#random.chance(KILLED);
    const timer = isVictim ? setTimeout(kill, this.#random.between(20, LATEST_KILL_MS)) : undefined;
    const { code, events, told } = await running;
    clearTimeout(timer);
    const complete = events.find(({ type }) => type === 'complete' && code !== 10);
    const error = events.findLast(({ type }) => type === 'error');
    const isExcused = isKilled || !wasUp || program.changes !== changesBefore || fault() !== null;
    if (code === 0) count(`${args[0]} done`);
    else if (isKilled) count(`${args[0]} killed`);
    else count(`${args[0]} failed: ${error?.code ?? `exit ${code}`}`);
    if (code !== 0 && !isExcused) {
      violation(`${args.join(' ')} failed for no reason: exit ${code}, ${error?.code} ${error?.message} ${told}`);
    }
    // Whatever happens, it is told with a code that is documented.
    if (code !== 0 && !isKilled && error === undefined) {
      violation(`${args[0]} ended with ${code} without an error: ${told}`);
    }
    return { code, complete, events };
  }

  /** @returns {number} bytes: often none or few, of every order of magnitude, and around limits */
  #size() {
    if (this.#random.chance(0.08)) return 0;
    if (this.#random.chance(0.1)) return 2 ** this.#random.between(10, 26) + this.#random.between(-1, 0);
    return Math.floor(Math.min(LARGEST, 2 ** (this.#random.next() * 26)));
  }
}
