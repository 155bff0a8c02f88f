/** Starts the library programs of the bench and talks to them over their IPC channel. */
import { once } from 'node:events';
import { programPath } from './paths.mjs';
import { end, start, Stopped } from './processes.mjs';

/**
 * @typedef {object} LibraryProcess
 * @property {number} pid
 * @property {any} ready the first message of the program
 * @property {(request: string, fields?: object) => Promise<any>} ask one request at a time; rejects
 *   with the program's error, or when it ends
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} program file in `bench/programs`
 * @param {object} settings its argument
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<LibraryProcess>}
 * @throws {Error} when the program ends before it is ready
 */
export async function startLibraryProcess(program, settings, env) {
  const args = [programPath(program), JSON.stringify(settings)];
  const running = start(process.execPath, args, { env, ipc: true, output: 'ignore' });
  const ending = async () => {
    const { signal } = await running.ended;
    if (signal === 'SIGKILL') throw new Stopped();
    throw new Error(`${program} ended: ${running.complaint() || 'no message'}`);
  };
  const nextMessage = async () => {
    const [message] = await Promise.race([once(running.child, 'message'), ending()]);
    return message;
  };
  const ask = async (request, fields = {}) => {
    const answered = nextMessage();
    running.child.send({ request, ...fields });
    const answer = await answered;
    if (answer.error !== undefined) throw new Error(`${program}: ${answer.error}`);
    return answer;
  };
  const close = async () => {
    // The channel closes instead of an answer when the program ends well.
    if (running.child.connected) running.child.send({ request: 'end' });
    await Promise.race([running.ended, new Promise((resolve) => setTimeout(resolve, 3000).unref())]);
    await end(running);
  };
  try {
    return { pid: running.pid, ready: await nextMessage(), ask, close };
  } catch (error) {
    await end(running);
    throw error;
  }
}
