import test from 'ava';

import { projectFiles, readProjectFile, withoutComments } from './project-files.js';

test('the old wire format is used by nothing but its own folders and where it is joined on', (t) => {
  const users = projectFiles('src', '.ts')
    .filter((path) => !/\/classic\//.test(path))
    .filter((path) => /\bfrom '[^']*\/classic\//.test(withoutComments(readProjectFile(path))));
  t.deepEqual(users, [
    'src/cli/verbs/commands.ts',
    'src/cli/verbs/get.ts',
    'src/cli/verbs/ls.ts',
    'src/cli/verbs/rm.ts',
    'src/cli/verbs/send.ts',
    'src/cli/verbs/sync.ts',
    'src/index.ts',
    'src/server/classic-host.ts',
    'src/server/server.ts',
  ]);
});

test('in Rust, too', (t) => {
  const users = projectFiles('crates', '.rs')
    .filter((path) => /\/src\//.test(path) && !/\/classic(_listener)?(\/|\.rs$)/.test(path))
    .filter((path) => /\b(classic|cbc_hmac|x25519)::/.test(withoutComments(readProjectFile(path))));
  t.deepEqual(users, []);
});
