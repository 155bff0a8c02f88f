/**
 * A server program that uses the library, started by the bench with an IPC channel. Its only
 * argument is JSON: `{root, dataDir, authorizedClients}`. It sends `{port, fingerprint}` once it
 * listens, answers `watch` and `report` as `event-loop-watch.mjs` says, and ends on `end`.
 */
import { createServer } from '../../dist/index.js';
import { answerRequests } from './event-loop-watch.mjs';

const { root, dataDir, authorizedClients } = JSON.parse(process.argv[2]);
const server = await createServer({
  root,
  dataDir,
  authorizedClients,
  listen: [{ host: '127.0.0.1', port: 0 }],
});
server.on('error', (error) => process.stderr.write(`${error.message}\n`));
await server.listen();
answerRequests({}, () => server.close({ graceMs: 1000 }));
process.send({ port: server.addresses[0].port, fingerprint: server.fingerprint });
