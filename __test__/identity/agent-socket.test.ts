import test from 'ava';

import { defaultAgentSocket } from '../../dist/identity/agent-socket.js';

test('the variable counts everywhere, and says with nothing that there is no agent', (t) => {
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    t.is(defaultAgentSocket({ SSH_AUTH_SOCK: '/run/agent' }, platform), '/run/agent');
    t.is(defaultAgentSocket({ SSH_AUTH_SOCK: '' }, platform), undefined);
  }
});

test('Windows has a pipe for its own agent', (t) => {
  t.is(defaultAgentSocket({}, 'win32'), '\\\\.\\pipe\\openssh-ssh-agent');
  t.is(defaultAgentSocket({}, 'linux'), undefined);
});
