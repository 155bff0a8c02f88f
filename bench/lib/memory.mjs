/** Peak resident memory of processes and of what they start. */
import fs from 'node:fs';
import { childrenOf } from './cpu.mjs';

const SAMPLE_MS = 20;

/**
 * Watches a process and its descendants. The figure is the largest sum of the peaks (`VmHWM`) of
 * those alive at one time, so shared pages count once for each process.
 *
 * @param {number} pid
 * @returns {() => number} ends the watch and returns bytes
 */
export function watchMemory(pid) {
  resetPeak(pid);
  let peak = 0;
  const sample = () => {
    peak = Math.max(peak, treePeak(pid));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  sample();
  return () => {
    clearInterval(timer);
    sample();
    return peak;
  };
}

/** Makes the kernel count the peak of a living process from now on. */
function resetPeak(pid) {
  try {
    fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch (error) {
    // A process that has ended has no peak to reset.
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
  }
}

function treePeak(pid) {
  const children = childrenOf(pid);
  return peakOf(pid) + children.reduce((sum, child) => sum + treePeak(child), 0);
}

function peakOf(pid) {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match ? Number(match[1]) * 1024 : 0;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}
