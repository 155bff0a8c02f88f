/**
 * `ssh2-server.mjs CIPHER`: an SFTP server of the npm package ssh2 for the bench. It prints
 * `{"port":N}` and serves whole files on 127.0.0.1 without asking who the client is.
 */
import fs from 'node:fs';
import ssh2 from 'ssh2';

const { Server, utils } = ssh2;
const { OPEN_MODE, STATUS_CODE, flagsToString } = utils.sftp;
const [cipher] = process.argv.slice(2);

const server = new Server(
  {
    hostKeys: [utils.generateKeyPairSync('ed25519').private],
    algorithms: { cipher: [cipher] },
  },
  (client) => {
    client.on('error', (error) => process.stderr.write(`${error.message}\n`));
    client.on('authentication', (context) => context.accept());
    client.on('ready', () => {
      client.on('session', (accept) => {
        accept().on('sftp', (acceptSftp) => serve(acceptSftp()));
      });
    });
  },
);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});

/** Answers what `fastPut` and `fastGet` ask. A handle is the file descriptor in four bytes. */
function serve(sftp) {
  const finish = (id) => (error) => {
    sftp.status(id, error ? STATUS_CODE.FAILURE : STATUS_CODE.OK, error?.message);
  };
  const attributes = (id) => (error, stats) => {
    if (error) finish(id)(error);
    else sftp.attrs(id, plain(stats));
  };
  const open = new Set();
  const descriptorOf = (handle) => {
    const descriptor = handle.readUInt32BE(0);
    if (!open.has(descriptor)) throw new Error('unknown handle');
    return descriptor;
  };
  sftp.on('OPEN', (id, name, flags) => {
    fs.open(name, flagsToString(flags & ~OPEN_MODE.EXCL) ?? 'r', (error, descriptor) => {
      if (error) return finish(id)(error);
      open.add(descriptor);
      const handle = Buffer.alloc(4);
      handle.writeUInt32BE(descriptor);
      return sftp.handle(id, handle);
    });
  });
  sftp.on('READ', (id, handle, offset, length) => {
    const buffer = Buffer.allocUnsafe(length);
    fs.read(descriptorOf(handle), buffer, 0, length, offset, (error, count) => {
      if (error) finish(id)(error);
      else if (count === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, buffer.subarray(0, count));
    });
  });
  sftp.on('WRITE', (id, handle, offset, data) => {
    const write = (done, error) => {
      if (error || done === data.length) return finish(id)(error);
      const left = data.length - done;
      return fs.write(descriptorOf(handle), data, done, left, offset + done, (failed, count) => {
        write(done + (count ?? 0), failed);
      });
    };
    write(0, null);
  });
  sftp.on('FSTAT', (id, handle) => fs.fstat(descriptorOf(handle), attributes(id)));
  sftp.on('STAT', (id, name) => fs.stat(name, attributes(id)));
  sftp.on('FSETSTAT', (id) => finish(id)(null));
  sftp.on('SETSTAT', (id) => finish(id)(null));
  sftp.on('CLOSE', (id, handle) => {
    const descriptor = descriptorOf(handle);
    open.delete(descriptor);
    fs.close(descriptor, finish(id));
  });
}

function plain({ mode, uid, gid, size, atimeMs, mtimeMs }) {
  return {
    mode,
    uid,
    gid,
    size,
    atime: Math.trunc(atimeMs / 1000),
    mtime: Math.trunc(mtimeMs / 1000),
  };
}
