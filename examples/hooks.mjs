// A server whose application decides about every operation, in one program with its clients:
//
//   npm run build && node examples/hooks.mjs
//
// Each user's uploads go to a folder of their own, nothing is deleted during the audit, a report is
// made when somebody asks for it, and a ledger knows every file that was stored.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { allow, connect, createServer, deny, fullGrant, Identity, rewrite, supply } from 'e2eeftp';

const folder = await mkdtemp(join(tmpdir(), 'e2eeftp-example-'));
try {
  const identity = Identity.generate();
  const server = await createServer({
    root: join(folder, 'files'),
    dataDir: join(folder, 'data'),
    listen: [{ host: '127.0.0.1', port: 0 }],
    authorizedClients: (key) =>
      key.fingerprint === identity.publicKey.fingerprint ? { ...fullGrant, user: 'ann' } : null,
    hookTimeoutMs: 5_000,
  });

  let isAudited = true;
  server.before('delete', () => (isAudited ? deny(403, 'Nothing is deleted during the audit') : allow()));

  server.before('send', ({ path, user }) => rewrite({ path: `/by/${user}${path}` }));

  server.before('get', ({ path }) =>
    path === '/report.txt' ? supply({ body: `Report of ${ledger.length} files\n` }) : allow(),
  );

  const ledger = [];
  server.after('send', async ({ user }, { status, path, bytes, root }) => {
    if (status === 226) ledger.push({ user, path, bytes, root });
  });

  server.on('login', ({ accepted, user, reason }) => {
    console.log(accepted ? `login: ${user}` : `refused: ${user}, ${reason}`);
  });
  server.on('session', (session) => {
    session.closed.then(() => console.log(`gone: ${session.user}`));
  });
  server.on('error', (error) => {
    console.error('the operator has to look at', error);
  });

  await server.listen();
  const [address] = server.addresses;
  const client = await connect({ ...address, identity, serverKey: server.fingerprint });
  await writeFile(join(folder, 'notes'), 'some notes');

  const { path } = await client.send(join(folder, 'notes'), '/notes', { parents: true });
  console.log('stored as', path);
  console.log('ledger:', ledger[0].user, ledger[0].path, ledger[0].bytes);

  await client.get('/report.txt', join(folder, 'report'));
  console.log('report:', (await readFile(join(folder, 'report'), 'utf8')).trimEnd());

  const refusal = await client.delete(path).catch((error) => error);
  console.log('refused:', refusal.code, refusal.message);
  isAudited = false;
  await client.delete(path);

  await client.close();
  await server.close();
} finally {
  await rm(folder, { recursive: true });
}
