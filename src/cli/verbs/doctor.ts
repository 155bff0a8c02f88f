/** `e2eeftp doctor`: checks this machine, and with a server the way to it. It changes nothing. */
import type { Command } from 'commander';
import { parsePeer } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { type Check, type CheckStatus, worstExitCode } from '../doctor/check.js';
import { localChecks } from '../doctor/local-checks.js';
import { peerChecks } from '../doctor/peer-checks.js';
import { FAR, judgeTcp, readTcpSettings } from '../doctor/tcp-settings.js';

const COLORS = { ok: 'green', warn: 'yellow', fail: 'red' } as const satisfies Record<CheckStatus, string>;

function show({ output }: CliContext, { name, status, text, advice }: Check): void {
  if (output.json) {
    const result = { name, status, text, advice: advice ?? null };
    output.event({ type: 'result', verb: 'doctor', result });
    return;
  }
  output.data(`${output.style(COLORS[status], status.padEnd(4))}  ${name.padEnd(13)}  ${text}`);
  if (advice !== undefined) output.data(`      → ${advice}`);
}

async function run(context: CliContext, operands: string[]): Promise<number> {
  const peer = operands[0] === undefined ? null : parsePeer(operands[0]);
  const checks = await localChecks(context);
  for (const check of checks) show(context, check);
  const remote = peer === null ? null : await peerChecks(context, peer);
  const rest = [...(remote?.checks ?? []), ...judgeTcp(await readTcpSettings(), remote?.path ?? FAR)];
  for (const check of rest) show(context, check);
  return worstExitCode([...checks, ...rest]);
}

export const verb: Verb = {
  examples: ['e2eeftp doctor', 'e2eeftp doctor files.example.org'],
  configure(command: Command): void {
    command.argument('[peer]', 'a server to reach as well');
  },
  run,
};
