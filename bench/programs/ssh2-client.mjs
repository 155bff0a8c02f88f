/**
 * `ssh2-client.mjs up|down PORT LOCAL REMOTE CIPHER`: moves one file with the SFTP client of the npm
 * package ssh2 (`fastPut`, `fastGet` with their defaults) and prints `{"seconds"}`, log-in excluded.
 */
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';

const [direction, port, local, remote, cipher] = process.argv.slice(2);

const client = new ssh2.Client();
await new Promise((resolve, reject) => {
  client.on('ready', resolve).on('error', reject);
  client.connect({
    host: '127.0.0.1',
    port: Number(port),
    username: 'bench',
    password: 'bench',
    algorithms: { cipher: [cipher] },
  });
});
const sftp = await promisify(client.sftp.bind(client))();
const began = performance.now();
if (direction === 'up') await promisify(sftp.fastPut.bind(sftp))(local, remote);
else await promisify(sftp.fastGet.bind(sftp))(remote, local);
const seconds = (performance.now() - began) / 1000;
process.stdout.write(`${JSON.stringify({ seconds })}\n`);
client.end();
