/**
 * The completion in real shells: each runs on a pseudo terminal, where a line is typed, the tab key is pressed, and the
 * line is then turned into the arguments of printf, so that what is compared is what the shell itself understands.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Running, Sandbox } from './run.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const AWKWARD = `quo'te "x" $y; & größe.txt`;

/** How a shell is started without the files of whoever runs the tests, and what it is told first. */
interface Shell {
  name: string;
  command: string;
  /** Lines that load the completion from `$SCRIPT`. */
  setUp: string[];
  script: string;
}

/** The package bash-completion of the system. */
const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';
const BASH = 'bash --norc --noprofile -i';
const SHELLS: Shell[] = [
  { name: 'bash', command: BASH, script: 'bash', setUp: ['source "$SCRIPT"'] },
  {
    name: 'bash with bash-completion',
    command: BASH,
    script: 'bash',
    setUp: [`source ${BASH_COMPLETION}`, 'declare -F _init_completion > /dev/null && source "$SCRIPT"'],
  },
  {
    name: 'bash without the colon in COMP_WORDBREAKS',
    command: BASH,
    script: 'bash',
    setUp: ['COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}', 'source "$SCRIPT"'],
  },
  {
    name: 'zsh',
    command: 'zsh -f -i',
    script: 'zsh',
    setUp: ['autoload -Uz compinit', 'compinit -u -d "$HOME/zcompdump"', 'source "$SCRIPT"'],
  },
  { name: 'fish', command: 'fish --no-config -i', script: 'fish', setUp: ['source "$SCRIPT"'] },
];

/** A store with names that need quoting, a server for it, and a peer `backup` that leads there. */
async function world(t: ExecutionContext): Promise<Sandbox> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const name of ['inbox', 'My Docs']) mkdirSync(box.path('files', name));
  for (const name of [AWKWARD, 'inbox/one', '.hidden', 'e\u001b[2Jvil']) box.write(`files/${name}`, '');
  box.write('local file.txt', '');
  mkdirSync(box.path('here'));
  const server = await box.ready();
  box.write(
    'config/e2eeftp/config.toml',
    `[peers.backup]\nhost = "127.0.0.1"\nport = ${server.port}\nserver-key = "${server.fingerprint}"\n`,
  );
  box.write('bin/e2eeftp', `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(box.path('bin/e2eeftp'), 0o755);
  return box;
}

/** Fails in words when a shell is not there. */
function requireShell({ command, setUp }: Shell): void {
  if (setUp.some((line) => line.includes(BASH_COMPLETION)) && !existsSync(BASH_COMPLETION)) {
    throw new Error('bash-completion is missing: run scripts/install-test-tools.sh');
  }
  const [program = ''] = command.split(' ');
  if (spawnSync(program, ['--version']).error !== undefined) {
    throw new Error(`${program} is missing: run scripts/install-test-tools.sh`);
  }
}

/** Types each line in the shell, with the tab key behind it; returns the words that came of each. */
async function typed(box: Sandbox, shell: Shell, lines: readonly string[]): Promise<string[][]> {
  requireShell(shell);
  const script = box.write(`completion.${shell.script}`, (await box.run(['completion', shell.script])).stdout);
  const child = spawn('script', ['-qefc', shell.command, '/dev/null'], {
    cwd: box.dir,
    env: box.env({
      SHELL: '/bin/sh',
      SCRIPT: script,
      PATH: `${box.path('bin')}:${process.env['PATH'] ?? ''}`,
      PS1: '$ ',
      INPUTRC: '/dev/null',
      LC_ALL: 'C.UTF-8',
    }),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const running = new Running(child);
  const say = (text: string): void => void child.stdin.write(text);
  try {
    for (const line of [...shell.setUp, `printf '%s-%s\\n' set up`]) say(`${line}\n`);
    await running.until(/set-up/);
    const found: string[][] = [];
    for (const [index, line] of lines.entries()) {
      // Ctrl-A goes to the beginning of the line.
      say(`${line}\t\u0001printf '[%s]' BEGIN${index}\u0020\u0005\n`);
      say(`printf '%s-%s\\n' END ${index}\n`);
      await running.until(new RegExp(`END-${index}`));
      const pattern = new RegExp(String.raw`\[BEGIN${index}\](\[[\s\S]*?\])(?=[^[\]]*END|\s*\u001b|\s*\r|\s*\$)`);
      const words = pattern.exec(running.stdout)?.[1] ?? running.stdout;
      found.push(words.slice(1, -1).split(']['));
    }
    return found;
  } finally {
    // The hang-up of its terminal ends the shell.
    running.kill('SIGKILL');
    await running.result;
  }
}

for (const shell of SHELLS) {
  test(`${shell.name}: verbs, options, values, files, peers and names on the server`, async (t) => {
    const box = await world(t);
    const cases: [line: string, ...words: string[]][] = [
      ['e2eeftp serv', 'serve'],
      ['e2eeftp -q --port 7 compl', 'completion'],
      ['e2eeftp ls --recur', 'ls', '--recursive'],
      ['e2eeftp send --progress js', 'send', '--progress', 'json'],
      ['e2eeftp send --progress=js', 'send', '--progress=json'],
      ['e2eeftp config sh', 'config', 'show'],
      ['e2eeftp ls back', 'ls', 'backup:'],
      ['e2eeftp commands back', 'commands', 'backup'],
      ['e2eeftp ls backup:/inb', 'ls', 'backup:/inbox/'],
      ['e2eeftp ls backup:inbox/o', 'ls', 'backup:inbox/one'],
      ['e2eeftp ls -P 1 backup:/inb', 'ls', '-P', '1', 'backup:/inb'],
      ['e2eeftp ls backup:/My', 'ls', 'backup:/My Docs/'],
      [String.raw`e2eeftp ls backup:/My\ D`, 'ls', 'backup:/My Docs/'],
      ['e2eeftp get backup:/quo', 'get', `backup:/${AWKWARD}`],
      ['e2eeftp ls backup:/.hid', 'ls', 'backup:/.hidden'],
      ['e2eeftp ls backup:/e', 'ls', 'backup:/e'],
      ['e2eeftp send loc', 'send', 'local file.txt'],
      // zsh takes the slash away again when something else than a name follows.
      ['e2eeftp serve her', 'serve', shell.name === 'zsh' ? 'here' : 'here/'],
      ['e2eeftp get "backup:/quo', 'get', `backup:/${AWKWARD}`],
      ["e2eeftp ls 'backup:/.hid", 'ls', 'backup:/.hidden'],
      ['e2eeftp -i loc', '-i', 'local file.txt'],
    ];
    const found = await typed(
      box,
      shell,
      cases.map(([line]) => line),
    );
    t.deepEqual(
      found.map((words, index) => [cases[index]?.[0], ...words.slice(1 - (cases[index]?.length ?? 0))]),
      cases,
    );
    t.false(existsSync(box.path('config/e2eeftp/known_servers')));
  });
}

test('a server that is not trusted is not asked, and nothing is saved; what fails is silent', async (t) => {
  const box = await world(t);
  const config = box.read('config/e2eeftp/config.toml');
  const complete = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await box.run(['__complete', ...words]);
    t.is(code, 0);
    t.is(stderr, '');
    return stdout;
  };
  t.is(await complete('ls', ':backup:/in'), 'backup:/inbox/\n:\n');
  box.write('config/e2eeftp/config.toml', config.replace(/^server-key.*\n/m, ''));
  t.is(await complete('ls', ':backup:/in'), ':\n');
  t.false(existsSync(box.path('config/e2eeftp/known_servers')));
  box.write('config/e2eeftp/config.toml', 'nonsense');
  t.is(await complete('ls', ':backup:/in'), ':\n');
  for (const words of [[], ['no colon'], ['frob', ':x'], ['ls', '--frob', ':'], ['ls', '-P', 'x', ':a:/']]) {
    t.regex(await complete(...words), /^:\n$/, words.join(' '));
  }
});

test('known servers are peers, with their port where it is not the usual one', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const made = await box.run(['keygen', 'k']);
  for (const name of ['files.example.org', 'other.example.org:6001', '[2001:db8::7]']) {
    t.is((await box.run(['trust', name, made.stdout.trim()])).code, 0, name);
  }
  const complete = async (...words: string[]): Promise<string[]> =>
    (await box.run(['__complete', ...words])).stdout.split('\n').slice(0, -2);
  t.deepEqual(await complete('ls', ':'), ['files.example.org:', '[2001:db8::7]:']);
  t.deepEqual(await complete('ls', '-P', '6001', ':o'), ['other.example.org:']);
  t.deepEqual(await complete('commands', ':'), ['files.example.org', 'other.example.org:6001', '[2001:db8::7]']);
  t.deepEqual(await complete('ls', '-P', ':'), []);
});

test('a server that does not answer costs a moment, not the patience of the person', async (t) => {
  const box = await world(t);
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  const words = ['__complete', '-P', String(port), 'ls', ':backup:/in'];
  // The sandbox ends what takes a minute: without a limit of its own it would be killed, with the code null.
  const { code, stdout } = await box.run(words);
  t.is(code, 0);
  t.is(stdout, ':\n');
});

test('the scripts are those of the package, also as JSON', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const shell of ['bash', 'zsh', 'fish', 'powershell']) {
    const { code, stdout } = await box.run(['completion', shell]);
    t.is(code, 0);
    t.true(stdout.includes('__complete'), shell);
    t.notRegex(stdout, /\beval\b/, shell);
  }
  t.is((await box.run(['completion', 'tcsh'])).code, 2);
});
