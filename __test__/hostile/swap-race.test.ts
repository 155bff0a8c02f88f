/** The race of {@link swapRace}, with both ways in which the server looks names up. */
import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import test from 'ava';
import { swapRace } from './swap-race.js';
import { open } from './world.js';

/**
 * Makes `openat2` fail as on a kernel that lacks it. With `-D` the traced program is our child and the tracer is not,
 * and with a filter in the kernel nothing but this call is held up.
 */
const WITHOUT_OPENAT2 =
  'strace -D -f -qq --seccomp-bpf -o /dev/null -e trace=openat2 -e inject=openat2:error=ENOSYS'.split(' ');

test.serial('20,000 requests through names that swap', async (t) => {
  const { box, server } = await swapRace(t, 20_000);
  // Links that stay inside are followed here, and not by the walk: the two tests look at different code.
  box.write('files/inside', 'inside');
  symlinkSync('inside', box.path('files/link'));
  const client = await open(t, box, server);
  t.is((await client.stat('link')).type, 'file');
});

test.serial('8,000 requests through names that swap, without openat2', async (t) => {
  t.is(spawnSync('strace', ['--version']).status, 0, 'strace is missing; scripts/install-test-tools.sh installs it');
  const { box, server } = await swapRace(t, 8000, { under: WITHOUT_OPENAT2 });
  box.write('files/inside', 'inside');
  symlinkSync('inside', box.path('files/link'));
  const client = await open(t, box, server);
  await t.throwsAsync(client.stat('link'), { code: 'E2EEFTP_NOT_PERMITTED' });
  t.is((await client.stat('inside')).type, 'file');
});
