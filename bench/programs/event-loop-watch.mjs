/** The requests that the bench sends to its library programs over the IPC channel. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** The timer whose lateness is measured fires this often; the figures include it. */
const RESOLUTION_MS = 1;

/**
 * Answers each message `{request, …}` with what the handler of that name resolves to, or with
 * `{error}`. `watch` begins to measure how late the event loop is; `report` ends that and answers
 * `{p50, p99, max, count}` in milliseconds; `end` closes and lets the process end.
 *
 * @param {Record<string, (message: any) => Promise<object>>} handlers
 * @param {() => Promise<unknown>} close
 */
export function answerRequests(handlers, close) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const all = {
    ...handlers,
    watch: async () => {
      histogram.reset();
      histogram.enable();
      return {};
    },
    report: async () => {
      histogram.disable();
      const milliseconds = (nanoseconds) => nanoseconds / 1e6;
      return {
        p50: milliseconds(histogram.percentile(50)),
        p99: milliseconds(histogram.percentile(99)),
        max: milliseconds(histogram.max),
        count: histogram.count,
      };
    },
    end: async () => {
      await close();
      process.disconnect();
      return {};
    },
  };
  process.on('message', async (message) => {
    let answer;
    try {
      answer = await all[message.request](message);
    } catch (error) {
      answer = { error: error.message };
    }
    if (process.connected) process.send(answer);
  });
}
