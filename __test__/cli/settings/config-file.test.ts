import { homedir } from 'node:os';
import test from 'ava';
import fc from 'fast-check';
import { type ConfigFile, parseConfig } from '../../../dist/cli/settings/config-file.js';
import { nearestName } from '../../../dist/cli/settings/nearest-name.js';
import { belongsInto, formatValue } from '../../../dist/cli/settings/setting.js';
import { SETTINGS } from '../../../dist/cli/settings/table.js';
import { TomlPlaces } from '../../../dist/cli/settings/toml-lines.js';
import { E2eeftpError } from '../../../dist/index.js';

/** What is wrong with a text: `line:column: message → hint`. */
function problems(text: string, kind?: 'client' | 'server'): string[] {
  try {
    parseConfig(text, '/etc/x.toml', kind);
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    return (error.errors as unknown[]).map((each) => {
      if (!E2eeftpError.is(each, 'E2EEFTP_CONFIG')) throw each;
      return `${each.message.replace(/^\/etc\/x\.toml:/, '')}${each.hint === undefined ? '' : ` → ${each.hint}`}`;
    });
  }
  return [];
}

function plain(values: ConfigFile['values']): Record<string, unknown> {
  return Object.fromEntries([...values].map(([key, { value }]) => [key, value]));
}

test('a client has defaults and peers; a server has its settings at the top', (t) => {
  const client = parseConfig('[defaults]\ntimeout = 2.5\njson = true\n[peers."a.b"]\nhost = "::1"\nport = 7\n', '/x');
  t.is(client.kind, 'client');
  t.deepEqual(plain(client.values), { timeout: 2.5, json: true });
  t.deepEqual([...client.peers.keys()], ['a.b']);
  t.deepEqual(plain(client.peers.get('a.b') ?? new Map()), { host: '::1', port: 7 });
  const server = parseConfig('listen = [":1", "[::1]:2"]\nread-only = true\nidle-timeout = 0\n', '/x');
  t.is(server.kind, 'server');
  t.deepEqual(plain(server.values), {
    listen: [
      { host: '::', port: 1 },
      { host: '::1', port: 2 },
    ],
    'read-only': true,
    'idle-timeout': 0,
  });
  t.deepEqual(plain(parseConfig('listen = "a:1"', '/x').values)['listen'], [{ host: 'a', port: 1 }]);
  t.is(parseConfig('', '/d/server.toml').kind, 'server');
  t.is(parseConfig('', '/d/config.toml').kind, 'client');
});

test('a path starts at the directory of its file, and ~/ is the home; a key and a fingerprint are no paths', (t) => {
  const text = `[defaults]\nidentity = "k/a.key"\n[peers.a]\nidentity = "~/b.key"\nserver-key = "SHA256:${'A'.repeat(43)}"\n`;
  const { values, peers } = parseConfig(
    `${text}[peers.b]\nserver-key = "c.pub"\nidentity = "/d"\n`,
    '/etc/e/config.toml',
  );
  t.deepEqual(values.get('identity')?.value, ['/etc/e/k/a.key']);
  t.deepEqual(peers.get('a')?.get('identity')?.value, [`${homedir()}/b.key`]);
  t.is(peers.get('a')?.get('server-key')?.value, `SHA256:${'A'.repeat(43)}`);
  t.is(peers.get('b')?.get('server-key')?.value, '/etc/e/c.pub');
  t.deepEqual(peers.get('b')?.get('identity')?.value, ['/d']);
});

test('every value knows its line', (t) => {
  const text = '# first\n\n[defaults]\nport = 1 # here\n  quiet = true\n[peers.a] # x\nhost="""\nh"""\nport = 2\n';
  const { values, peers } = parseConfig(text, '/f');
  t.like(values.get('port'), { origin: { from: 'file', file: '/f', line: 4, table: 'defaults' } });
  t.like(values.get('quiet'), { origin: { line: 5 } });
  t.like(peers.get('a')?.get('host'), { value: 'h', origin: { line: 7, table: 'peers.a' } });
  t.like(peers.get('a')?.get('port'), { origin: { line: 9 } });
});

test('what is wrong is told with line, column, key and what was expected, all at once', (t) => {
  const text = [
    '[defaults]',
    'port = "5001"',
    '  prot = 5001',
    'timeout = 2147484',
    'verbose = 3',
    'json = 1',
    'progress = "loud"',
    'identity = 1979-05-27',
    '[peers.a]',
    'timeout = 1',
    'host = "a b"',
    '[peers.my.box]',
    'port = 1',
  ].join('\n');
  t.deepEqual(problems(text), [
    '2:1: defaults.port: expected a port from 1 to 65535, found "5001"',
    "3:3: unknown key 'prot' in [defaults] → did you mean 'port'?",
    '4:1: defaults.timeout: expected a number of seconds, above 0 to 2147483 (24 days), found 2147484',
    '5:1: defaults.verbose: expected a whole number from 0 to 2, found 3',
    '6:1: defaults.json: expected true or false, found 1',
    '7:1: defaults.progress: expected one of auto, bar, plain, json, none, found "loud"',
    '8:1: defaults.identity: expected the path of a key file, agent, or agent:KEY, or a list of such, found a date',
    "10:1: unknown key 'timeout' in [peers.a] → 'timeout' can stand in [defaults] only",
    '11:1: peers.a.host: expected a host name or an IP address, found "a b"',
    `12:1: unknown key 'box' in [peers.my] → a name with dots is quoted: [peers."my.box"]`,
  ]);
});

test('advice for what stands in the wrong place', (t) => {
  const hint = (text: string, kind?: 'client' | 'server'): string => problems(text, kind)[0]?.split(' → ')[1] ?? '';
  t.regex(hint('[defaults]\npassword = "x"'), /secret has no place/);
  t.regex(hint('[defaults]\nlisten = ":1"'), /setting of a server/);
  t.regex(hint('root = "/"', 'client'), /setting of a server/);
  t.regex(hint('[peers.a]\nhost = "x"', 'server'), /file of a client/);
  t.regex(hint('[defaults]\nhost = "x"'), /\[peers\.NAME\] only/);
  t.regex(hint('port = 1', 'client'), /\[defaults\]/);
  t.regex(hint('[peer.a]\nhost = "x"', 'client'), /did you mean 'peers'/);
  t.regex(problems('\n[peer.a]\nhost = "x"', 'client')[0] ?? '', /^2:1: unknown key 'peer' → /);
  t.regex(hint('raed-only = true', 'server'), /did you mean 'read-only'/);
  t.regex(hint('[peers."-x"]\n'), /letters, digits/);
  t.regex(hint('zzz = 1', 'server'), /known here: .*read-only/);
  t.regex(hint('[defaults]\nconfig = "x"'), /known here/);
  t.regex(problems('peers = 1\n', 'client')[0] ?? '', /^1:1: peers: expected tables/);
  t.regex(problems('[peers]\na = 1\n')[0] ?? '', /^2:1: peers\.a: expected a table, found 1/);
});

test('a key of a server that is not whole is refused', (t) => {
  const wrong = (value: string): number => problems(`[peers.a]\nserver-key = ${JSON.stringify(value)}\n`).length;
  const key = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
  const raw = `${'A'.repeat(43)}=`;
  for (const good of [`SHA256:${'A'.repeat(43)}`, key, `${key} of the server`, raw, 'file.pub', 'ssh-ed25519.pub']) {
    t.is(wrong(good), 0, good);
  }
  for (const bad of [
    '',
    'SHA256:',
    `SHA256:${'A'.repeat(42)}`,
    `SHA256:${'A'.repeat(44)}`,
    `SHA256:${'A'.repeat(43)}=`,
    'ssh-ed25519 ',
    'ssh-ed25519 file.pub',
    `ssh-ed25519 ${raw}`,
    key.slice(0, -1),
    `${key}A`,
  ]) {
    t.is(wrong(bad), 1, bad);
  }
});

test('what is not TOML is told with its place; control characters and unsafe keys are refused', (t) => {
  t.regex(problems('[defaults\n')[0] ?? '', /^1:\d+: .+ → this is not TOML/);
  t.regex(problems('a = 1\na = 2\n')[0] ?? '', /^2:\d+: /);
  t.regex(problems('[defaults]\nidentity = "a\\u001b[2J"')[0] ?? '', /^2:1: defaults\.identity: .*control character/);
  t.notRegex(problems('[defaults]\nidentity = "a\\u001b[2J"')[0] ?? '', /\p{Cc}/u);
  t.is(problems('__proto__ = 1', 'server').length, 1);
  t.regex(problems('[peers.__proto__]\nhost = "x"').join('\n'), /^1:\d+: .* → no key, .* __proto__/);
  t.is(problems(`listen = ${'['.repeat(40)}${']'.repeat(40)}`).length, 1);
});

test('a value is never the default of another type: each setting refuses what is not its own', (t) => {
  const others: [string, string][] = [
    ['string', '"\\u0000"'],
    ['date', '1979-05-27T07:32:00Z'],
    ['table', '{ a = 1 }'],
    ['list', '[[1]]'],
    ['infinity', 'inf'],
    ['not a number', 'nan'],
    ['huge', '9007199254740991'],
    ['negative', '-1'],
  ];
  for (const setting of SETTINGS) {
    for (const kind of ['client', 'server'] as const) {
      if (!belongsInto(setting, kind)) continue;
      const head = kind === 'server' ? '' : setting.peers === 'only' ? '[peers.a]\n' : '[defaults]\n';
      for (const [name, value] of others) {
        t.is(problems(`${head}${setting.key} = ${value}`, kind).length, 1, `${kind} ${setting.key}: ${name}`);
      }
    }
  }
});

test('any text is read or refused, never anything else', (t) => {
  const word = fc.constantFrom(
    '[',
    ']',
    '=',
    '"',
    "'",
    '\n',
    '.',
    '#',
    'defaults',
    'peers',
    'port',
    ' ',
    '1',
    '"""',
    '{',
    '}',
    ',',
    '\\',
    'é',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      problems(words.join(''));
      return true;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('places are those of the parser, also in arrays, multi-line strings and inline tables', (t) => {
  const places = new TomlPlaces(
    'a = [\n 1, # ]\n 2 ]\nb = """\n[c]\nx = 1\n"""\n[ "d.e" . f ]\n\tg.h = { i = 1 }\n[[k]]\nl = 1\r\n',
  );
  const at = (...path: string[]): string => `${places.of(path)?.line}:${places.of(path)?.column}`;
  t.is(at('a'), '1:1');
  t.is(at('b'), '4:1');
  t.is(places.of(['c']), undefined);
  t.is(at('d.e'), '8:1', 'a table that only the headers of others name');
  t.is(at('d.e', 'f'), '8:1');
  t.is(at('d.e', 'f', 'g', 'h', 'i'), '9:2');
  t.is(at('d.e', 'f', 'unknown'), '8:1');
  t.is(at('k', 'l'), '11:1');
});

test('a value of very many lines is refused before it costs anything', (t) => {
  const list = (length: number): string => `# one\nlisten = [\n${'":1",\n'.repeat(length)}]\n`;
  t.deepEqual(problems(list(98), 'server'), []);
  t.deepEqual(problems(list(99), 'server'), ['2:1: a value has more than 100 lines']);
  t.deepEqual(problems(list(50_000), 'server'), ['2:1: a value has more than 100 lines']);
});

test('the nearest name is one that may be meant', (t) => {
  const known = ['port', 'identity', 'server-key', 'read-only'];
  t.is(nearestName('prot', known), 'port');
  t.is(nearestName('PORT', known), 'port');
  t.is(nearestName('identiy', known), 'identity');
  t.is(nearestName('server_key', known), 'server-key');
  t.is(nearestName('readonly', known), 'read-only');
  t.is(nearestName('colour', known), undefined);
  t.is(nearestName('x'.repeat(1000), known), undefined);
});

test('the names of a setting follow from its option, and no two are alike in one file', (t) => {
  for (const { key, environment, name, scope } of SETTINGS) {
    t.regex(key, /^[a-z]+(-[a-z]+)*$/);
    // One key is a switch for a client and an address for a server: a variable can't be both.
    const isOther = key === 'classic' && scope === 'server';
    t.is(environment, `E2EEFTP_${key.replaceAll('-', '_').toUpperCase()}${isOther ? '_LISTEN' : ''}`);
    t.regex(name, /^[a-z][A-Za-z]*$/);
  }
  for (const kind of ['client', 'server'] as const) {
    const keys = SETTINGS.filter(({ scope }) => scope === kind || scope === 'every').map(({ key }) => key);
    t.is(new Set(keys).size, keys.length);
  }
});

test('a value is written as its option would be given', (t) => {
  const listen = SETTINGS.find(({ key }) => key === 'listen');
  if (listen === undefined) throw new Error('there is no listen');
  t.is(formatValue(listen, [listen.type.parse('[::1]:5'), listen.type.parse('a:6')]), '[::1]:5 a:6');
});
