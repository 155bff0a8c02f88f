import test from 'ava';
import { events, Sandbox } from './run.js';

const VERBS = [
  'send',
  'get',
  'ls',
  'stat',
  'hash',
  'df',
  'rm',
  'mv',
  'cp',
  'mkdir',
  'commands',
  'call',
  'keygen',
  'fingerprint',
  'authorize',
  'revoke',
  'trust',
  'serve',
  'config',
  'receipt',
  'completion',
];

test('--help groups the verbs', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const { code, stdout, stderr } = await box.run(['--help']);
  t.is(code, 0);
  t.is(stderr, '');
  for (const group of [
    'Move files:',
    'Look:',
    'Change:',
    'Any command:',
    'Keys:',
    'Serve:',
    'Configuration:',
    'Understand:',
    'Global options:',
  ]) {
    t.true(stdout.includes(`\n${group}\n`), group);
  }
  for (const verb of VERBS) t.regex(stdout, new RegExp(String.raw`\n {2}${verb}[ |]`), verb);
});

test('the help of every verb opens with two examples', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const verb of VERBS) {
    const { code, stdout } = await box.run([verb, '--help']);
    t.is(code, 0);
    t.regex(
      stdout,
      new RegExp(
        String.raw`^Examples:\n {2}\$ .*e2eeftp ${verb}.*\n {2}\$ .*e2eeftp ${verb}.*\n\nUsage: e2eeftp ${verb}`,
      ),
      verb,
    );
    t.true(stdout.includes('Global options:'), verb);
  }
});

test('aliases are the verbs', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const [alias, verb] of [
    ['put', 'send'],
    ['list', 'ls'],
    ['delete', 'rm'],
  ] as const) {
    t.regex((await box.run([alias, '--help'])).stdout, new RegExp(`Usage: e2eeftp ${verb}`), alias);
  }
});

test('--version', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const { code, stdout } = await box.run(['--version']);
  t.is(code, 0);
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('wrong usage: exit code 2, one line and the next step, nothing on standard output', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const wrong = [
    ['frob'],
    ['--frob'],
    ['ls'],
    ['ls', 'host:/', 'host:/'],
    ['ls', '--frob', 'host:/'],
    ['ls', 'local'],
    ['send'],
    ['send', 'x'],
    ['send', 'a', 'b'],
    ['send', 'host:a', 'host:b'],
    ['send', 'host:a', 'b'],
    ['send', '-', 'host:'],
    ['send', '-', 'host:dir/'],
    ['send', '-', '-', 'host:dir/', '--name', 'x'],
    ['send', 'a', 'host:b', '--name', 'x'],
    ['send', '-', 'host:b', '--name', '../x'],
    ['send', 'a', 'host:b', '--rename', '--no-clobber'],
    ['send', 'a', 'host:b', '--delta', 'sometimes'],
    ['get'],
    ['get', 'a'],
    ['get', 'a', 'b'],
    ['sync', 'a', 'b'],
    ['get', 'host:a', 'host:b', '-'],
    ['get', 'host:a', 'host:b', 'c'],
    ['rm', 'host:/'],
    ['rm', 'host:'],
    ['rm', 'host:.//'],
    ['mkdir'],
    ['mkdir', 'local'],
    ['mv'],
    ['mv', 'host:a'],
    ['mv', 'host:a', 'b'],
    ['mv', 'a', 'host:b'],
    ['mv', 'host:a', 'other:b'],
    ['mv', 'host:a', 'e2eeftp://host:77/b'],
    ['mv', 'host:', 'host:b'],
    ['mv', 'host:a', 'host:/.//', 'host:b/'],
    ['mv', 'host:a/x', 'host:b/x', 'host:c/'],
    ['cp', 'host:a/x', 'host:b//x/.', 'host:c/'],
    ['mv', 'host:a', 'host:b', '--overwrite', '--no-clobber'],
    ['cp', 'host:a'],
    ['cp', 'host:a', 'b'],
    ['cp', '-r', 'host:/', 'host:b'],
    ['cp', 'host:a', 'other:b'],
    ['cp', 'host:a', 'host:b', '--overwrite', '--no-clobber'],
    ['hash'],
    ['df'],
    ['df', '-x', 'host'],
    ['call', 'host', 'X', 'novalue'],
    ['call', 'host', 'X', 'a:=not json'],
    ['call', 'host', 'X', 'a=1', 'a=2'],
    ['call', 'host', 'X', 'id=1'],
    ['trust', 'host', 'SHA256:short'],
    ['serve', '--listen', 'nonsense'],
    ['serve', '--log-level', 'loud'],
    ['serve', '--max-connections', '0'],
    ['-P', '0', 'ls', 'host:'],
    ['ls', 'host:', '--timeout', 'soon'],
  ];
  await box.keygen();
  for (const words of wrong) {
    const { code, stdout, stderr } = await box.run(words);
    t.is(code, 2, `${words.join(' ')}\n${stderr}`);
    t.is(stdout, '', words.join(' '));
    t.regex(stderr, /^error\[E2EEFTP_INVALID_ARGUMENT\]: .+\n(?: {2}→ .+\n)?$/, words.join(' '));
  }
});

test('nothing at all shows the help and fails', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const { code, stderr, stdout } = await box.run([]);
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /Usage: e2eeftp/);
});

test('--json: wrong usage is an object, too', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const [words, env] of [
    [['ls', '--frob', '--json'], {}],
    [['ls', '--frob'], { E2EEFTP_JSON: '1' }],
    [['ls', 'x', '--json'], {}],
  ] as const) {
    const { code, stdout, stderr } = await box.run([...words], { env });
    t.is(code, 2);
    t.is(stderr, '');
    const [event] = events(stdout);
    t.is(event?.type === 'error' ? event.code : undefined, 'E2EEFTP_INVALID_ARGUMENT');
  }
});

test('a bad environment variable is wrong usage', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const { code, stderr } = await box.run(['fingerprint'], { env: { E2EEFTP_PORT: 'x' } });
  t.is(code, 2);
  t.regex(stderr, /E2EEFTP_PORT/);
});

test('what is not there yet is refused clearly', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  for (const words of [
    ['ls', 'ann@host:'],
    ['ls', 'host:', '--user', 'ann'],
  ]) {
    const { code, stderr } = await box.run(words);
    t.is(code, 1, words.join(' '));
    t.regex(stderr, /error\[E2EEFTP_UNSUPPORTED\]: .*not supported yet\n {2}→ /);
  }
});

test('without a key of your own you are told how to make one', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const words of [
    ['ls', 'localhost:'],
    ['send', box.write('a', 'x'), 'localhost:'],
    ['commands', 'localhost'],
  ]) {
    const { code, stderr } = await box.run(words);
    t.is(code, 4, stderr);
    t.regex(stderr, /error\[E2EEFTP_KEY_FILE\]: .*\n {2}→ .*e2eeftp keygen/);
  }
});

test('-vv adds the trace', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  t.regex((await box.run(['ls', 'localhost:', '-vv'])).stderr, /\n {4,}at .*\n/);
  t.notRegex((await box.run(['ls', 'localhost:', '-v'])).stderr, /\n {4,}at .*\n/);
});
