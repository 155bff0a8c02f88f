import test from 'ava';

import { projectFiles, readProjectFile, withoutComments } from './project-files.js';

/** Files that may contain `unsafe`, each with its `// SAFETY:` reasons. */
const UNSAFE_FILES: readonly string[] = [
  'crates/net/src/tcp_info.rs',
  'crates/vfs/src/sys/windows/native.rs',
  'crates/vfs/src/writeback.rs',
];

const rustFiles = projectFiles('crates', '.rs');

test('only crates/core/src/crypto names a cryptographic library', (t) => {
  const named = /\b(ring|x_wing|ml_kem|x25519_dalek|curve25519_dalek)::|\buse (ring|x_wing)\b/;
  const users = rustFiles.filter((path) => named.test(code(path)));
  t.true(users.some((path) => path.startsWith('crates/core/src/crypto/')));
  t.deepEqual(
    users.filter((path) => path.includes('/src/') && !path.startsWith('crates/core/src/crypto/')),
    // Random names of staged files; nothing but the system's randomness.
    ['crates/vfs/src/staging_name.rs'],
  );
  t.notRegex(code('crates/vfs/src/staging_name.rs'), /\bring::(?!rand\b)/);
});

test('the protocol core does no input or output and reads no clock', (t) => {
  const outside = /\bstd::(net|fs|io|env|process|thread)\b|\b(Instant|SystemTime)::now\b|\b(tokio|rustix|libc)::/;
  t.deepEqual(
    rustFiles.filter((path) => path.startsWith('crates/core/src/') && outside.test(code(path))),
    [],
  );
  t.regex(code('crates/core/src/lib.rs'), /#!\[forbid\(unsafe_code\)\]/);
});

test('only crates/napi knows Node', (t) => {
  const users = rustFiles.filter((path) => /\bnapi(_derive)?::|\buse napi/.test(code(path)));
  t.true(users.length > 0);
  t.deepEqual(
    users.filter((path) => !path.startsWith('crates/napi/')),
    [],
  );
});

test('unsafe code stands only in the files listed here', (t) => {
  const users = rustFiles.filter((path) => /\bunsafe\b(?!_)/.test(code(path)));
  t.deepEqual(users, [...UNSAFE_FILES]);
  for (const path of users) t.regex(readProjectFile(path), /\/\/ SAFETY: /, path);
});

function code(path: string): string {
  return withoutComments(readProjectFile(path));
}
