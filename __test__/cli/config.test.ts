import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { belongsInto, type Setting } from '../../dist/cli/settings/setting.js';
import { SETTINGS } from '../../dist/cli/settings/table.js';
import { events, type RunOptions, Sandbox } from './run.js';

function sandbox(t: ExecutionContext): Sandbox {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  return box;
}

interface Shown {
  key: string;
  value: unknown;
  origin: { from: string; flag?: string; variable?: string; file?: string; line?: number };
}

/** The settings that `config show` tells, by key. */
async function show(box: Sandbox, words: string[], options: RunOptions = {}): Promise<Map<string, Shown>> {
  const run = await box.run(['config', 'show', '--json', ...words], options);
  const [event] = events(run.stdout);
  if (event?.type !== 'result') throw new Error(run.stdout + run.stderr);
  return new Map((event.result['settings'] as Shown[]).map((each) => [each.key, each]));
}

test('an option beats the environment, that the file, and that the default; config show tells which won', async (t) => {
  const box = sandbox(t);
  const file = box.write('config/e2eeftp/config.toml', '[defaults]\nport = 1\ntimeout = 9\nprogress = "plain"\n');
  const env = { E2EEFTP_PORT: '2' };
  const port = async (words: string[], options: RunOptions = {}): Promise<Shown | undefined> =>
    (await show(box, words, options)).get('port');
  t.like(await port([]), { value: 1, origin: { from: 'file', file, line: 2 } });
  t.like(await port([], { env }), { value: 2, origin: { from: 'environment', variable: 'E2EEFTP_PORT' } });
  t.like(await port(['-P', '3'], { env }), { value: 3, origin: { from: 'flag', flag: '--port' } });
  const all = await show(box, []);
  t.like(all.get('quiet'), { value: false, origin: { from: 'default' } });
  t.like(all.get('progress'), { value: 'plain', origin: { line: 4 } });
  t.like(all.get('identity'), { value: [box.path('config/e2eeftp/client_id.key')], origin: { from: 'default' } });
  const { stdout, code } = await box.run(['config', 'show', '--origin'], { env });
  t.is(code, 0);
  t.regex(stdout, /^port +2 +E2EEFTP_PORT$/m);
  t.true(stdout.includes(`9  `) && stdout.includes(`${file}:3\n`), stdout);
  t.regex(stdout, /^quiet +false +default$/m);
});

test('every setting is a flag, a variable and a key: each of the three is what config show tells', async (t) => {
  const box = sandbox(t);
  for (const kind of ['client', 'server'] as const) {
    const all = SETTINGS.filter((each) => belongsInto(each, kind) && each.key !== 'json').map(sample);
    const table = (only: boolean): string =>
      all
        .filter(({ setting }) => (setting.peers === 'only') === only)
        .map(({ setting, literal }) => `${setting.key} = ${literal}\n`)
        .join('');
    const [head, peer] = kind === 'client' ? ['[defaults]\n', '[peers.p]\n'] : ['', ''];
    const file = box.write('full.toml', `${head}${table(false)}${peer}${table(true)}`);
    const empty = box.write('empty.toml', peer);
    const env = Object.fromEntries(all.map(({ setting, text }) => [setting.environment, text]));
    const flags = all.flatMap(({ flag }) => flag);
    const words = [`--${kind}`, ...(kind === 'client' ? ['--peer', 'p'] : [])];
    const runs = [
      ['file', ['--config', file], {}],
      ['environment', ['--config', empty], { env }],
      ['flag', ['--config', empty, ...flags], {}],
    ] as const;
    for (const [from, more, options] of runs) {
      const shown = await show(box, [...words, ...more], options);
      for (const { setting, value } of all) {
        t.deepEqual(shown.get(setting.key)?.value, value, `${kind} ${setting.key} by ${from}`);
        t.is(shown.get(setting.key)?.origin.from, from, `${kind} ${setting.key}`);
      }
    }
  }
});

/** A value of a setting in all its forms, and not its default. */
function sample(setting: Setting): { setting: Setting; text: string; literal: string; value: unknown; flag: string[] } {
  const { type, key } = setting;
  const isText = type.toml[0] === 'string';
  const text =
    type.choices?.find((choice) => choice !== setting.default) ??
    (type.isList === true
      ? '127.0.0.1:77'
      : type.isSwitch === true
        ? String(setting.default !== true)
        : isText
          ? key.endsWith('-rate')
            ? '2M'
            : 'x'
          : '2');
  const whole = type.completes === undefined ? text : `/${text}`;
  const value: unknown = type.isList === true ? [whole] : isText ? type.parse(whole) : JSON.parse(whole);
  const option = `--${key}`;
  const flag =
    type.countsTo !== undefined
      ? [option, option]
      : type.isSwitch === true
        ? [value === true ? option : `--no-${key}`]
        : [option, whole];
  return { setting, text: whole, literal: isText ? JSON.stringify(whole) : whole, value, flag };
}

test('a peer of the file resolves in addresses, with its host, port and keys', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  box.write('files/there', 'x');
  await box.run(['keygen', 'other.key']);
  const peer = `host = "127.0.0.1"\nport = ${server.port}\nserver-key = "${server.fingerprint}"\n`;
  box.write(
    'config/e2eeftp/config.toml',
    `[peers.backup]\n${peer}[peers.stranger]\n${peer}identity = "../../other.key"\n[peers."127.0.0.1"]\nport = 1\n`,
  );
  for (const address of ['backup:', 'e2eeftp://backup/']) {
    const { code, stdout, stderr } = await box.run(['ls', address]);
    t.is(code, 0, stderr);
    t.is(stdout, 'there\n');
  }
  t.is((await box.run(['commands', 'backup'])).code, 0);
  t.regex((await box.run(['ls', 'stranger:'])).stderr, /E2EEFTP_AUTH_REFUSED/);
  t.regex((await box.run(['ls', '127.0.0.1:'])).stderr, /E2EEFTP_CONNECT\b/, 'the port of that peer');
  t.is((await box.run(['ls', '127.0.0.1:', ...server.at])).code, 0, 'an option beats the file');
  t.regex((await box.run(['ls', 'backup:', '-P', '1'])).stderr, /E2EEFTP_CONNECT\b/);
  t.is((await box.run(['ls', 'x:', '--host', '127.0.0.1', ...server.at])).code, 0);
  const both = await box.run(['get', 'backup:there', 'stranger:there', 'out/']);
  t.is(both.code, 10, 'one server, two keys: each peer has its own session');
  t.regex(both.stderr, /AUTH_REFUSED/);
  t.regex((await box.run(['config', 'show', '--peer', 'nobody'])).stderr, /no peer 'nobody'/);
  await server.stop();
});

test('a switch of the file is undone by its --no- twin', async (t) => {
  const box = sandbox(t);
  box.write('config/e2eeftp/config.toml', '[defaults]\njson = true\nno-color = true\n');
  await box.keygen();
  t.is(events((await box.run(['fingerprint'])).stdout)[0]?.type, 'result');
  t.regex((await box.run(['fingerprint', '--no-json'])).stdout, /^SHA256:\S+\n$/);
  t.like((await show(box, ['--color'])).get('no-color'), { value: false, origin: { from: 'flag' } });
});

test('server.toml in the data directory, or --config: serve and authorize go by it', async (t) => {
  const box = sandbox(t);
  mkdirSync(box.path('store'));
  const text = `root = "../store"\nread-only = true\nauthorized = "keys/clients.pub"\nlog-format = "json"\nlog-level = "info"\n`;
  box.write('d/server.toml', text);
  mkdirSync(box.path('d/keys'));
  await box.keygen();
  const done = await box.run(['authorize', 'config/e2eeftp/client_id.pub', '--data', 'd']);
  t.is(done.code, 0, done.stderr);
  t.true(existsSync(box.path('d/keys/clients.pub')));
  const words = ['serve', '--data', 'd', '--listen', '127.0.0.1:0', '--json'];
  const run = box.start(words);
  await run.until(/"type":"result"/);
  const [event] = events(run.stdout);
  const result = (event?.type === 'result' ? event.result : {}) as {
    root: string;
    authorized: string;
    fingerprint: string;
    e2eeftp: { port: number }[];
  };
  t.is(result.root, box.path('store'));
  t.is(result.authorized, box.path('d/keys/clients.pub'));
  t.regex(run.stderr, /^\{"level":"info"/m);
  const at = ['-P', String(result.e2eeftp[0]?.port), '--server-key', result.fingerprint];
  box.write('a', 'a');
  t.is((await box.run(['send', 'a', '127.0.0.1:a', ...at])).code, 5, 'read-only by the file');
  run.kill('SIGTERM');
  t.is((await run.result).code, 0);
  box.write(
    'other.toml',
    `data = "d"\nroot = "store"\nauthorized = "d/keys/clients.pub"\ndurability = "dir"\nidle-timeout = 0\nmax-transfers = 1\nlog-level = "silent"\nquiet = true\n`,
  );
  const second = await box.serve(['--config', 'other.toml', '--no-read-only']);
  t.is(second.fingerprint, result.fingerprint, 'the data directory of the file');
  t.is((await box.run(['send', 'a', '127.0.0.1:a', ...second.at])).code, 0);
  await second.stop();
  t.is((await second.run.result).stderr, '', 'silent and quiet by the file');
});

test('what is wrong in a file is told by every verb that goes by it, and nothing is done', async (t) => {
  const box = sandbox(t);
  const file = box.write('config/e2eeftp/config.toml', '[defaults]\nport = "x"\ntimeuot = 1\n');
  const { code, stdout, stderr } = await box.run(['keygen']);
  t.is(code, 2);
  t.is(stdout, '');
  t.false(existsSync(box.path('config/e2eeftp/client_id.key')));
  t.is(
    stderr,
    `error[E2EEFTP_CONFIG]: ${file}:2:1: defaults.port: expected a port from 1 to 65535, found "x"\n` +
      `error[E2EEFTP_CONFIG]: ${file}:3:1: unknown key 'timeuot' in [defaults]\n  → did you mean 'timeout'?\n`,
  );
  const json = await box.run(['ls', 'h:', '--json']);
  t.deepEqual(
    events(json.stdout).map((event) => (event.type === 'error' ? event.code : '')),
    ['E2EEFTP_CONFIG', 'E2EEFTP_CONFIG'],
  );
  t.is(json.stderr, '');
  box.write('d/server.toml', 'raed-only = true\n');
  const serve = await box.run(['serve', '--data', 'd']);
  t.is(serve.code, 2);
  t.regex(serve.stderr, /server\.toml:1:1: unknown key 'raed-only'\n {2}→ did you mean 'read-only'/);
  t.false(existsSync(box.path('d/server_id.key')));
  box.write('d/server.toml', 'data = "x"\n');
  t.regex((await box.run(['serve', '--data', 'd'])).stderr, /can't be set in the data directory itself/);
  t.regex((await box.run(['serve', '--config', file])).stderr, /file of a client/);
});

test('a named file must be there and be text; the usual one need not be', async (t) => {
  const box = sandbox(t);
  await box.keygen();
  box.write('bad', Buffer.from([0x61, 0xff]));
  box.write('long', `#${'x'.repeat(300_000)}`);
  for (const [name, pattern] of [
    ['missing', /missing: cannot read the configuration: no such file/],
    ['.', /it is a directory/],
    ['bad', /it is not UTF-8/],
    ['long', /longer than 262144 bytes/],
    ['/dev/zero', /not a regular file/],
  ] as const) {
    const { code, stderr } = await box.run(['fingerprint', '--config', name]);
    t.is(code, 2, name);
    t.regex(stderr, pattern);
  }
  t.is((await box.run(['fingerprint', '--config', '/dev/null'])).code, 0);
  t.is((await box.run(['fingerprint'], { env: { E2EEFTP_CONFIG: '' } })).code, 0);
});

test('a file that others may change is warned of', async (t) => {
  const box = sandbox(t);
  const file = box.write('config/e2eeftp/config.toml', '');
  await box.keygen();
  chmodSync(file, 0o664);
  const { code, stderr } = await box.run(['fingerprint']);
  t.is(code, 0);
  t.is(stderr, `warning: ${file} can be changed by other users; run: chmod go-w ${file}\n`);
  chmodSync(file, 0o644);
  t.is((await box.run(['fingerprint'])).stderr, '');
});

test('config check tells whose file it is, and everything that is wrong', async (t) => {
  const box = sandbox(t);
  const usual = await box.run(['config', 'check']);
  t.is(usual.code, 0);
  t.is(usual.stderr.match(/not there, which is fine/g)?.length, 2);
  box.write('a.toml', '[peers.a]\nhost = "x"\n');
  box.write('b.toml', 'listen = ":1"\nmax-transfers = 3\n');
  t.regex(
    (await box.run(['config', 'check', 'a.toml'])).stderr,
    /a\.toml: right; file of a client, 0 settings, 1 peer/,
  );
  t.regex((await box.run(['config', 'check', 'b.toml'])).stderr, /b\.toml: right; file of a server, 2 settings\n/);
  t.is((await box.run(['config', 'check', 'b.toml', '--client'])).code, 2);
  const json = events((await box.run(['config', 'check', 'a.toml', '--json'])).stdout);
  t.like(json[0], {
    type: 'result',
    verb: 'config',
    result: { action: 'check', file: 'a.toml', kind: 'client', settings: 0, peers: ['a'] },
  });
  // The file that is checked does not keep the check from running.
  box.write('config/e2eeftp/config.toml', 'nonsense');
  const { code, stderr } = await box.run(['config', 'check']);
  t.is(code, 2);
  t.regex(stderr, /config\.toml:1:\d+: /);
  for (const words of [['check', '--origin'], ['frob'], []]) {
    t.regex((await box.run(['config', ...words])).stderr, /E2EEFTP_INVALID_ARGUMENT/);
  }
});

test('a variable that is not valid is told, also by config show', async (t) => {
  const box = sandbox(t);
  const { code, stderr } = await box.run(['config', 'show', '--server'], { env: { E2EEFTP_LISTEN: 'x' } });
  const noFile = await box.run(['config', 'show', '--peer', 'nobody']);
  t.regex(noFile.stderr, /there is no file \S+config\.toml, and so no peer 'nobody'/);
  t.is(code, 2);
  t.regex(stderr, /E2EEFTP_INVALID_ARGUMENT\]: E2EEFTP_LISTEN 'x' is not valid/);
  t.regex((await box.run(['config', 'show'], { env: { E2EEFTP_IDENTITY: 'a\u0007b' } })).stderr, /control character/);
});

test('a root that is missing is made and told, unless its parent is missing, too', async (t) => {
  const box = sandbox(t);
  const typo = await box.run(['serve', 'no/where', '--data', 'd', '--listen', '127.0.0.1:0']);
  t.is(typo.code, 6);
  t.regex(typo.stderr, /E2EEFTP_NOT_FOUND\]: \S+no\/where: there is no directory \S+\/no to make it in\n {2}→ /);
  t.false(existsSync(box.path('no')) || existsSync(box.path('d')));
  box.write('file', '');
  t.regex((await box.run(['serve', 'file', '--data', 'd'])).stderr, /E2EEFTP_NOT_DIRECTORY/);
  t.regex((await box.run(['serve', 'a', '--root', 'b', '--data', 'd'])).stderr, /two roots/);
  const run = box.start(['serve', 'TYPO', '--data', 'd', '--listen', '127.0.0.1:0']);
  await run.until(/e2eeftp serves/);
  t.true(run.stderr.includes(`made ${box.path('TYPO')}\n`));
  run.kill('SIGTERM');
  t.is((await run.result).code, 0);
  t.true(existsSync(join(box.path('TYPO'))));
});

test('a configuration that clients could change is refused', async (t) => {
  const box = sandbox(t);
  box.write('files/server.toml', 'read-only = true\n');
  const { code, stderr } = await box.run([
    'serve',
    'files',
    '--config',
    'files/server.toml',
    '--listen',
    '127.0.0.1:0',
  ]);
  t.is(code, 2);
  t.regex(stderr, /E2EEFTP_CONFIG\]: .*server\.toml is inside the root/);
});

test('no verb: help for people, an object with --json, exit code 2 in any case', async (t) => {
  const box = sandbox(t);
  for (const [words, env] of [
    [['--json'], {}],
    [[], { E2EEFTP_JSON: '1' }],
  ] as const) {
    const { code, stdout, stderr } = await box.run([...words], { env });
    t.is(code, 2);
    t.is(stderr, '');
    t.like(events(stdout)[0], { type: 'error', code: 'E2EEFTP_INVALID_ARGUMENT', hint: 'see e2eeftp --help' });
  }
  const quiet = await box.run(['-q']);
  t.is(quiet.code, 2);
  t.is(quiet.stdout, '');
  t.regex(quiet.stderr, /Usage: e2eeftp/);
});

test('a time that no timer can run is refused, the longest is not', async (t) => {
  const box = sandbox(t);
  await box.keygen();
  t.is((await box.run(['fingerprint', '--timeout', '2147483'])).code, 0);
  for (const seconds of ['2147484', '1e9', '99999999999999999999', '0', '-1', 'inf']) {
    const { code, stderr } = await box.run(['fingerprint', `--timeout=${seconds}`]);
    t.is(code, 2, seconds);
    t.regex(stderr, /number of seconds, above 0 to 2147483/);
  }
});
