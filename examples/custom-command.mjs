// A server with a command of its own and a client that calls it, in one program:
//
//   npm run build && node examples/custom-command.mjs 'some text'
//
// COUNT takes `text` from the request and answers with its number of words and letters. The server
// lets in one key and gives it no right to any file, so COUNT and HLIST are all the client sees.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, createServer, Identity } from 'e2eeftp';

const text = process.argv[2] ?? 'Files move, commands count.';
const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-example-'));
try {
  const identity = Identity.generate();
  const server = await createServer({
    root: join(folder, 'files'),
    dataDir: join(folder, 'data'),
    listen: [{ host: '127.0.0.1', port: 0 }],
    authorizedClients: (key) => (key.fingerprint === identity.publicKey.fingerprint ? { user: 'example' } : null),
  });
  server.command('COUNT', {
    summary: 'Counts the words and letters of a text',
    handler: (context) => {
      const { text: counted } = context.args;
      if (typeof counted !== 'string') return { status: 400, text: 'COUNT needs text=…' };
      return {
        text: `Counted for ${context.user}`,
        words: counted.match(/\S+/g)?.length ?? 0,
        letters: counted.match(/\p{L}/gu)?.length ?? 0,
      };
    },
  });
  await server.listen();

  const [address] = server.addresses;
  const client = await connect({ ...address, identity, serverKey: server.fingerprint });
  console.log('commands:', (await client.commands()).map(({ verb }) => verb).join(' '));
  const reply = await client.call('COUNT', { text });
  const { words, letters } = reply.fields;
  console.log(`${reply.text}: ${Number(words)} words, ${Number(letters)} letters`);
  await client.close();
  await server.close();
} finally {
  await rm(folder, { recursive: true });
}
