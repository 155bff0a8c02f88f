// A server that changes a built-in command and has one of its own with a body in both directions:
//
//   npm run build && node examples/subclass.mjs
//
// Every stored file gets a ticket number, and SORT sends back the lines that it was sent, sorted.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';

import { connect, E2eeftpError, fullGrant, Identity, Server } from 'e2eeftp';

class FilingServer extends Server {
  #tickets = 0;

  async handleSend(context) {
    if (context.user === 'guest') throw new E2eeftpError('E2EEFTP_NOT_PERMITTED', 'Guests file nothing');
    const reply = await super.handleSend(context);
    this.#tickets += 1;
    return { ...reply, text: `Filed under ${this.#tickets}`, ticket: this.#tickets };
  }
}

const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-example-'));
try {
  const identity = Identity.generate();
  const server = new FilingServer({
    root: join(folder, 'files'),
    dataDir: join(folder, 'data'),
    listen: [{ host: '127.0.0.1', port: 0 }],
    authorizedClients: (key) =>
      key.fingerprint === identity.publicKey.fingerprint ? { ...fullGrant, user: 'ann' } : null,
  });

  server.command('SORT', {
    summary: 'Sends the lines of its body back in order',
    permission: 'read',
    handler: async (context) => {
      const lines = [];
      const input = Readable.from(context.body(), { objectMode: false });
      for await (const line of createInterface({ input })) lines.push(line);
      lines.sort((one, other) => one.localeCompare(other));
      return { lines: lines.length, body: lines.map((line) => `${line}\n`) };
    },
  });

  await server.listen();
  const [address] = server.addresses;
  const client = await connect({ ...address, identity, serverKey: server.fingerprint });

  const filed = await client.call('SEND', { path: Buffer.from('/note') }, { body: 'a note' });
  console.log(filed.text);

  await writeFile(join(folder, 'other'), 'another note');
  console.log('stored as', (await client.send(join(folder, 'other'), '/other')).path);

  const sorted = await client.call('SORT', {}, { body: 'pear\napple\nfig\n' });
  console.log(sorted.fields.lines, 'lines:', sorted.body.toString().split('\n').join(' '));

  await client.close();
  await server.close();
} finally {
  await rm(folder, { recursive: true });
}
