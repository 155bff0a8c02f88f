import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { resolveOptions } from '../../dist/server/options.js';

test('the defaults are the documented ones', (t) => {
  const options = resolveOptions({ dataDir: '/d' });
  t.deepEqual(options.listen, [{ host: '127.0.0.1', port: 5001 }]);
  t.is(options.root, '/d/files');
  t.is(options.authorizedClients, '/d/authorized_clients.pub');
  t.is(options.durability, 'file');
  t.is(options.idleTimeoutMs, 900_000);
  t.deepEqual(options.limits, {});
  t.false(options.readOnly);
});

test('one address, several addresses, brackets', (t) => {
  t.deepEqual(resolveOptions({ listen: { port: 0 } }).listen, [{ host: '127.0.0.1', port: 0 }]);
  t.deepEqual(resolveOptions({ listen: [{ host: '[::1]' }, { host: '0.0.0.0', port: 7 }] }).listen, [
    { host: '::1', port: 5001 },
    { host: '0.0.0.0', port: 7 },
  ]);
});

test('old clients are served nowhere unless an address is given', (t) => {
  t.deepEqual(resolveOptions({}).classic, []);
  t.deepEqual(resolveOptions({ classic: [] }).classic, []);
  t.deepEqual(resolveOptions({ classic: {} }).classic, [{ host: '127.0.0.1', port: 2121 }]);
  t.false(resolveOptions({ classic: {} }).classicAllowDelete);
});

test('options out of range are named', (t) => {
  const bad: [string, unknown][] = [
    ['classic', { port: 65536 }],
    ['listen', []],
    ['listen', { port: 65536 }],
    ['listen', { port: 1.5 }],
    ['listen', { host: '' }],
    ['durability', 'sometimes'],
    ['idleTimeoutMs', -1],
    ['maxConnections', 2 ** 32],
    ['stallTimeoutMs', 0.5],
    ['keepAliveMs', 0],
  ];
  for (const [name, value] of bad) {
    const error = t.throws(() => resolveOptions({ [name]: value }), undefined, name);
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'));
    t.true(error?.message.includes(name));
  }
});

test('unknown options are refused by name; planned ones as unsupported', (t) => {
  for (const name of ['readonly', 'authorized', 'port']) {
    const error = t.throws(() => resolveOptions({ [name]: true }), undefined, name);
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'), name);
    t.true(error?.message.includes(name));
    t.notThrows(() => resolveOptions({ [name]: undefined }));
  }
  for (const name of ['sftp', 'ftps', 'accounts']) {
    const error = t.throws(() => resolveOptions({ [name]: {} }), undefined, name);
    t.true(E2eeftpError.is(error, 'E2EEFTP_UNSUPPORTED'), name);
  }
});
