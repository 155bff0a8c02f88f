import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { E2eeftpError, Identity, createServer, fullGrant } from '../../dist/index.js';
import type { ServerOptions } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';

async function refused(t: ExecutionContext, options: ServerOptions, what: string): Promise<void> {
  const error = await t.throwsAsync(createServer(options), { instanceOf: E2eeftpError }, what);
  t.is(error?.code, 'E2EEFTP_CONFIG', `${what}: ${error?.message}`);
  t.truthy(error?.hint, what);
}

test('a root at or above the data directory is refused, and nothing is made', async (t) => {
  const box = await temporaryDirectory(t);
  await mkdir(join(box, 'top'));
  await symlink('top', join(box, 'alias'));
  await refused(t, { root: join(box, 'top'), dataDir: join(box, 'top') }, 'the same');
  await refused(t, { root: join(box, 'top'), dataDir: join(box, 'top/a/data') }, 'below');
  await refused(t, { root: join(box, 'alias'), dataDir: join(box, 'top/data') }, 'the root is a link');
  await refused(t, { root: join(box, 'top'), dataDir: join(box, 'alias/data') }, 'the data directory is behind a link');
  t.false(existsSync(join(box, 'top/data')));
  t.false(existsSync(join(box, 'top/server_id.key')));
});

test('a root below the data directory, or beside it, is fine', async (t) => {
  const box = await temporaryDirectory(t);
  await t.notThrowsAsync(createServer({ dataDir: join(box, 'data') }));
  await t.notThrowsAsync(createServer({ dataDir: join(box, 'data'), root: join(box, 'data-files') }));
  await t.notThrowsAsync(createServer({ dataDir: join(box, 'data'), root: join(box, '..data/x') }));
});

test('the list of clients is not to be inside the root', async (t) => {
  const box = await temporaryDirectory(t);
  const [root, dataDir] = [join(box, 'root'), join(box, 'data')];
  await mkdir(root);
  await mkdir(dataDir);
  await writeFile(join(root, 'keys'), '');
  await symlink(join(root, 'keys'), join(dataDir, 'linked'));
  await symlink(join(root, 'not-yet'), join(dataDir, 'dangling'));
  await writeFile(join(box, 'outside'), '');
  await symlink(join(box, 'outside'), join(root, 'replaceable'));
  for (const file of ['root/keys', 'root/none-yet', 'data/linked', 'data/dangling', 'root/replaceable']) {
    await refused(t, { root, dataDir, authorizedClients: join(box, file) }, file);
  }
  await t.notThrowsAsync(createServer({ root, dataDir, authorizedClients: join(box, 'outside') }));
});

test('a server key that is a link into the root is refused', async (t) => {
  const box = await temporaryDirectory(t);
  const [root, dataDir] = [join(box, 'root'), join(box, 'data')];
  await mkdir(root);
  await mkdir(dataDir);
  await Identity.generate().save(join(root, 'id'), { comment: '' });
  await symlink(join(root, 'id'), join(dataDir, 'server_id.key'));
  await refused(t, { root, dataDir }, 'the key');
});

test('a data directory that is not used is not looked at', async (t) => {
  const box = await temporaryDirectory(t);
  const unused = { identity: Identity.generate(), authorizedClients: () => fullGrant };
  await t.notThrowsAsync(createServer({ root: box, dataDir: join(box, 'data'), ...unused }));
});
