/**
 * A network with a delay, a rate and losses: `bench/native/src/bin/emulator.rs` between the network
 * namespace of this process and a second one, which exists as long as the emulator or a process in it
 * lives. Nothing is written anywhere else, so nothing can be left behind: the devices and the second
 * namespace end with the emulator, and that ends with this process.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { inside } from './namespace.mjs';
import { missingFiles, nativePath } from './paths.mjs';
import { end, start } from './processes.mjs';

const EMULATOR = 'emulator';
const NEAR = '10.90.0.1';
const FAR = '10.90.0.2';
const PREFIX = 30;
/** Packets that a device holds while the emulator does not look: a tenth of a second at 1 Gbit/s. */
const DEVICE_QUEUE = 10_000;
const SEND_BUFFER_FILE = '/proc/sys/net/ipv4/tcp_wmem';
const CONGESTION_FILE = '/proc/sys/net/ipv4/tcp_congestion_control';

/**
 * @typedef {object} LinkSettings both directions are alike
 * @property {number} rttMs round trip in milliseconds
 * @property {number} megabits rate in 10⁶ bits a second, counted over IP packets
 * @property {number} lossPercent share of packets that are lost at random
 * @property {string} [seed] of the losses
 * @property {number} [sendBufferBytes] the most that a connection may hold to be sent; 0 for the system's
 * @property {string} [congestion] congestion control on both sides; the system's unless given
 */

/**
 * @typedef {object} DirectionCounters packets, except where bytes are said
 * @property {number} offered
 * @property {number} offeredBytes
 * @property {number} delivered
 * @property {number} deliveredBytes
 * @property {number} lost at random
 * @property {number} dropped by the full queue
 * @property {number} overflowed for want of memory, which must not happen
 * @property {number} refused by the device behind
 * @property {{p99: number, max: number}} lateMicros how late packets arrived
 */

/**
 * @typedef {object} Counters
 * @property {number} seconds
 * @property {number} cpuSeconds
 * @property {DirectionCounters} nearToFar
 * @property {DirectionCounters} farToNear
 */

/**
 * @typedef {object} Network
 * @property {string} near address of this side
 * @property {import('./place.mjs').Place} far the other side
 * @property {string[]} farCommand prefix of a command that is to run there
 * @property {string} seed
 * @property {boolean} isRealtime whether the emulator has precedence over other processes
 * @property {number} mtu
 * @property {string} congestion congestion control of both sides
 * @property {number} sendBuffer the most that a connection may hold to be sent, in bytes
 * @property {() => Promise<Counters>} counters so far
 * @property {() => Promise<void>} close processes on the other side must have ended
 */

/** Why there can be no emulated network, or null. */
export function networkMissing() {
  if (!inside().isolated) return 'network namespaces are not permitted here';
  return missingFiles(nativePath(EMULATOR));
}

/**
 * @param {LinkSettings} settings
 * @returns {Promise<Network>}
 * @throws {Error} without the right to make network devices, or when the congestion control is not
 *   there or not permitted
 */
export async function startNetwork({ rttMs, megabits, lossPercent, seed, congestion, sendBufferBytes = 0 }) {
  const args = ['--rtt', `${rttMs}`, '--rate', `${megabits}`, '--loss', `${lossPercent}`, '--realtime'];
  const emulator = start(nativePath(EMULATOR), [...args, ...(seed === undefined ? [] : ['--seed', seed])]);
  try {
    const ready = JSON.parse(await emulator.line(0));
    const farCommand = ['nsenter', `--net=/proc/${emulator.pid}/ns/net`, '--'];
    configure([], ready.near, NEAR, ready.mtu);
    configure(farCommand, ready.far, FAR, ready.mtu);
    // A new namespace has the system's congestion control.
    const chosen = congestion ?? execute([...farCommand, 'cat', CONGESTION_FILE]).trim();
    const restore = [change(farCommand, CONGESTION_FILE, chosen)];
    if (sendBufferBytes > 0) {
      const [least, usual] = fs.readFileSync(SEND_BUFFER_FILE, 'utf8').split(/\s+/);
      restore.push(change(farCommand, SEND_BUFFER_FILE, `${least} ${usual} ${sendBufferBytes}`));
    }
    const sendBuffer = Number(fs.readFileSync(SEND_BUFFER_FILE, 'utf8').trim().split(/\s+/).at(-1));
    const [enter, ...into] = farCommand;
    let asked = 0;
    return {
      near: NEAR,
      far: {
        host: FAR,
        start: (command, rest, options) => start(enter, [...into, command, ...rest], options),
      },
      farCommand,
      seed: ready.seed,
      isRealtime: ready.realtime,
      mtu: ready.mtu,
      congestion: chosen,
      sendBuffer,
      async counters() {
        asked += 1;
        emulator.child.kill('SIGUSR1');
        return JSON.parse(await emulator.line(asked));
      },
      async close() {
        for (const restoreOne of restore) restoreOne();
        await end(emulator);
      },
    };
  } catch (error) {
    await end(emulator);
    throw error;
  }
}

/** Gives a device its address and brings it up. `prefix` enters its namespace. */
function configure(prefix, device, address, mtu) {
  const ip = (...args) => execute([...prefix, 'ip', ...args]);
  ip('link', 'set', 'lo', 'up');
  ip('address', 'add', `${address}/${PREFIX}`, 'dev', device);
  ip('link', 'set', device, 'mtu', `${mtu}`, 'txqueuelen', `${DEVICE_QUEUE}`, 'up');
}

/**
 * Changes a setting of both namespaces.
 *
 * @returns {() => void} gives this one its setting back
 */
function change(farCommand, file, value) {
  execute([...farCommand, 'sh', '-c', `echo "$1" >${file}`, 'sh', value]);
  const before = fs.readFileSync(file, 'utf8');
  fs.writeFileSync(file, value);
  return () => fs.writeFileSync(file, before);
}

/** @returns {string} what the command printed */
function execute([program, ...args]) {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * The share of a link's rate that TCP can fill with content: IPv4 and TCP headers with timestamps
 * take 52 bytes of each packet.
 *
 * @param {number} mtu
 */
export function payloadShare(mtu) {
  return (mtu - 52) / mtu;
}
