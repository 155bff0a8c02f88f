/** What TCP carries over the loopback device of this network namespace, where nothing else runs. */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';

/** Headers of a packet that the device counts: Ethernet, IPv4, TCP with timestamps. */
const HEADERS = 14 + 20 + 32;
const STEP_MS = 2;

/** @returns {number} bytes of content that were sent so far, in both directions together */
function payload() {
  const match = /^\s*lo:\s*(\d+)\s+(\d+)/m.exec(fs.readFileSync('/proc/net/dev', 'utf8'));
  return Number(match[1]) - Number(match[2]) * HEADERS;
}

/**
 * @typedef {object} Watch
 * @property {() => number} bytes that were sent since the start of the watch
 * @property {() => [number, number][]} end ends the watch: seconds since its start, and the bytes that
 *   were sent by then
 */

/** @returns {Watch} */
export function watchWire() {
  const before = payload();
  const began = performance.now();
  const samples = [];
  const sample = () => samples.push([(performance.now() - began) / 1000, payload() - before]);
  const timer = setInterval(sample, STEP_MS);
  sample();
  return {
    bytes: () => payload() - before,
    end() {
      clearInterval(timer);
      sample();
      return samples;
    },
  };
}
