/**
 * A client program that uses the library, started by the bench with an IPC channel. Its only
 * argument is JSON: `{host, port, identity, serverKey}`. It sends `{connected: true}`, then answers
 * `{request: 'send' | 'get', local, remote}` with `{bytes, seconds}`, `watch` and `report` as
 * `event-loop-watch.mjs` says, and ends on `end`.
 */
import { performance } from 'node:perf_hooks';
import { connect } from '../../dist/index.js';
import { answerRequests } from './event-loop-watch.mjs';

const client = await connect(JSON.parse(process.argv[2]));

const timed = async (transfer) => {
  const began = performance.now();
  const { bytes } = await transfer;
  return { bytes, seconds: (performance.now() - began) / 1000 };
};
answerRequests(
  {
    send: ({ local, remote }) => timed(client.send(local, remote)),
    get: ({ local, remote }) => timed(client.get(remote, local)),
  },
  () => client.close(),
);
process.send({ connected: true });
