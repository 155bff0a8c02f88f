import test from 'ava';
import { Command, CommanderError } from 'commander';
import { addGlobalOptions, resolveGlobalOptions } from '../../dist/cli/global-options.js';
import { isLoopback, parseListenAddress } from '../../dist/cli/listen-address.js';
import { timeLimits } from '../../dist/cli/open-client.js';
import { serverLimits } from '../../dist/cli/server-limits.js';
import { colorAllowed } from '../../dist/cli/output.js';
import { addTransferOptions, readTransferOptions } from '../../dist/cli/transfer-options.js';
import type { GlobalOptions } from '../../dist/cli/global-options.js';
import type { TransferOptions } from '../../dist/cli/transfer-options.js';

function globals(words: string[], env: NodeJS.ProcessEnv = {}): GlobalOptions {
  const program = new Command('e2eeftp')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError() {} });
  addGlobalOptions(program);
  const verb = program.command('ls').argument('[words...]');
  addGlobalOptions(verb);
  let resolved: GlobalOptions | undefined;
  verb.action(() => {
    resolved = resolveGlobalOptions(verb, env);
  });
  program.parse(words, { from: 'user' });
  if (resolved === undefined) throw new Error('the verb did not run');
  return resolved;
}

function transfer(words: string[]): TransferOptions {
  const command = new Command('send').exitOverride().configureOutput({ outputError() {} });
  addTransferOptions(command);
  return readTransferOptions(command.parse(words, { from: 'user' }).opts());
}

test('defaults', (t) => {
  t.deepEqual(globals(['ls']), {
    port: 5001,
    hashKnownServers: false,
    json: false,
    quiet: false,
    verbose: 0,
    color: true,
  });
});

test('options count before and after the verb, and the one after it wins', (t) => {
  t.is(globals(['-P', '1', 'ls']).port, 1);
  t.is(globals(['ls', '-P', '2']).port, 2);
  t.is(globals(['-P', '1', 'ls', '-P', '2']).port, 2);
  t.is(globals(['ls', '-vv']).verbose, 2);
  t.is(globals(['-v', 'ls']).verbose, 1);
  t.deepEqual(globals(['ls', '-i', 'key']).identity, ['key']);
  t.deepEqual(globals(['-i', 'x', 'ls', '-i', 'a', '-i', 'agent']).identity, ['a', 'agent']);
});

test('an option beats the environment, and that the default', (t) => {
  const env = {
    E2EEFTP_IDENTITY: 'k',
    E2EEFTP_PASSPHRASE_FILE: 'p',
    E2EEFTP_SERVER_KEY: `SHA256:${'A'.repeat(43)}`,
    E2EEFTP_PORT: '77',
    E2EEFTP_JSON: '1',
    E2EEFTP_QUIET: 'yes',
    E2EEFTP_VERBOSE: '2',
    E2EEFTP_TIMEOUT: '1.5',
    E2EEFTP_NO_COLOR: '1',
    E2EEFTP_CONFIG: 'c',
  };
  t.deepEqual(globals(['ls'], env), {
    hashKnownServers: false,
    identity: ['k'],
    passphraseFile: 'p',
    serverKey: `SHA256:${'A'.repeat(43)}`,
    port: 77,
    config: 'c',
    json: true,
    quiet: true,
    verbose: 2,
    timeout: 1.5,
    color: false,
  });
  t.is(globals(['ls', '-P', '2'], env).port, 2);
  t.false(globals(['ls'], { E2EEFTP_JSON: '0' }).json);
  t.is(globals(['ls'], { E2EEFTP_PORT: '' }).port, 5001);
});

test('a bad environment variable is named', (t) => {
  t.throws(() => globals(['ls'], { E2EEFTP_PORT: 'x' }), { message: /E2EEFTP_PORT/ });
  t.throws(() => globals(['ls'], { E2EEFTP_JSON: 'perhaps' }), { message: /E2EEFTP_JSON/ });
});

test('bad values are refused', (t) => {
  for (const words of [
    ['-P', '0'],
    ['-P', '65536'],
    ['-P', '1e3'],
    ['--timeout', '0'],
    ['--timeout', 'x'],
    ['--frob'],
  ]) {
    t.throws(() => globals(['ls', ...words]), { instanceOf: CommanderError }, words.join(' '));
  }
});

test('transfer options', (t) => {
  const moving = { resume: true, delta: true, skip: 'time' };
  const defaults = {
    overwrite: 'replace',
    preserve: true,
    compress: 'none',
    moving,
    dryRun: false,
    progress: 'auto',
  };
  t.deepEqual(transfer([]), defaults as TransferOptions);
  t.is(transfer(['--overwrite']).overwrite, 'replace');
  t.is(transfer(['--no-clobber']).overwrite, 'refuse');
  t.is(transfer(['--rename']).overwrite, 'rename');
  t.false(transfer(['--no-preserve']).preserve);
  t.true(transfer(['-p']).preserve);
  t.true(transfer(['-n']).dryRun);
  t.is(transfer(['--progress', 'none']).progress, 'none');
  t.is(transfer(['--durability', 'dir']).moving.durability, 'directory');
  t.true(transfer(['--stats']).moving.stats);
  for (const [rate, bytes] of [
    ['1024', 1024],
    ['1k', 1024],
    ['2.5M', 2_621_440],
    ['1G', 1024 ** 3],
  ] as const) {
    t.is(transfer(['--limit-rate', rate]).moving.limitRate, bytes);
  }
  t.false(transfer(['--no-resume']).moving.resume);
  t.is(transfer(['-j', '3']).moving.connections, 3);
  t.is(transfer(['--reconnect', '1.5']).moving.reconnectMs, 1500);
  t.is(transfer(['--checksum']).moving.skip, 'checksum');
  t.like(transfer(['--delta', 'always']).moving, { delta: true, skip: 'never' });
  t.like(transfer(['--delta', 'never']).moving, { delta: false, skip: 'never' });
  for (const word of ['--rename', '--no-clobber', '--receipt=x']) t.is(transfer([word]).moving.skip, 'never', word);
  const wrong = [
    ['--rename', '--no-clobber'],
    ['--overwrite', '--rename'],
    ['--no-clobber', '--overwrite'],
    ['--progress', 'x'],
    ['--durability', 'directory'],
    ...['0', '1023', '-1M', '1.M', 'M', '1MB', '1e9', '9999T', ''].map((rate) => ['--limit-rate', rate]),
    ['--delta', 'x'],
    ['-j', '0'],
    ['-j', '17'],
  ];
  for (const words of wrong) t.throws(() => transfer(words), { instanceOf: CommanderError }, words.join(' '));
});

test('options of features that are not there are not accepted', (t) => {
  for (const word of ['--sftp=x']) {
    t.throws(() => transfer([word]), { instanceOf: CommanderError }, word);
  }
});

test('listen addresses', (t) => {
  t.deepEqual(parseListenAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  t.deepEqual(parseListenAddress('[::1]:5001'), { host: '::1', port: 5001 });
  t.deepEqual(parseListenAddress(':5001'), { host: '::', port: 5001 });
  t.deepEqual(parseListenAddress('*:5001'), { host: '::', port: 5001 });
  t.deepEqual(parseListenAddress('localhost:5001'), { host: 'localhost', port: 5001 });
  for (const text of ['5001', 'host', '[x]:1', '::1:5001', 'host:65536', 'ho st:1', '']) {
    t.throws(() => parseListenAddress(text), { code: 'commander.invalidArgument' }, text);
  }
  t.true(isLoopback('127.0.0.1') && isLoopback('::1') && isLoopback('localhost') && isLoopback('127.9.9.9'));
  t.false(isLoopback('0.0.0.0') || isLoopback('::') || isLoopback('127.example.org'));
});

test('limits of serve are those of the library; what nobody gave is left to it', (t) => {
  t.deepEqual(serverLimits({}), {});
  const options = {
    maxConnections: 1,
    maxHalfOpen: 2,
    maxTransfers: 3,
    handshakesPerSecond: 0,
    handshakeBurst: 5,
    handshakeTimeout: 0.0001,
    idleTimeout: 0,
    stallTimeout: 2.5,
    logLevel: 'info',
  };
  t.deepEqual(serverLimits(options), {
    maxConnections: 1,
    maxHalfOpen: 2,
    maxTransfers: 3,
    handshakesPerSecond: 0,
    handshakeBurst: 5,
    handshakeTimeoutMs: 1,
    idleTimeoutMs: 0,
    stallTimeoutMs: 2500,
  });
});

test('colour follows --no-color, NO_COLOR and TERM', (t) => {
  t.true(colorAllowed(true, {}));
  t.true(colorAllowed(true, { NO_COLOR: '' }));
  t.false(colorAllowed(false, {}));
  t.false(colorAllowed(true, { NO_COLOR: '1' }));
  t.false(colorAllowed(true, { TERM: 'dumb' }));
});

test('--timeout sets every limit of a connection, also beyond the defaults', (t) => {
  t.deepEqual(timeLimits(undefined), {});
  t.deepEqual(timeLimits(600), { timeoutMs: 600_000, stallTimeoutMs: 600_000, replyTimeoutMs: 600_000 });
  t.deepEqual(timeLimits(0.0001), { timeoutMs: 1, stallTimeoutMs: 1, replyTimeoutMs: 1 });
});
