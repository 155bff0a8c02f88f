/** The question about a server whose key is not known yet. */
import { displayName, fingerprintWords, randomart, serverName, type UnknownServer } from '../index.js';
import type { CliContext } from './context.js';
import { askAtTerminal } from './terminal-question.js';

/** How often an answer that is none may be given. */
const ATTEMPTS = 3;

/**
 * Shows the fingerprint and asks whether to trust it: `yes`, `no`, or the fingerprint itself. Anything but a clear yes is
 * a no; without a terminal nothing is asked and the answer is no.
 */
export async function confirmServerKey(context: CliContext, server: UnknownServer): Promise<boolean> {
  context.pauseTimeout();
  try {
    return await ask(context, server);
  } finally {
    context.alive();
  }
}

/** The same fingerprint as words and as a picture, for whoever compares by ear or eye. */
async function otherForms(fingerprint: string): Promise<string> {
  const words = await fingerprintWords(fingerprint);
  const half = words.length / 2;
  const lines = [words.slice(0, half).join(' '), words.slice(half).join(' '), ...randomart(fingerprint)];
  return lines.map((line) => `  ${line}\n`).join('');
}

async function ask(context: CliContext, server: UnknownServer): Promise<boolean> {
  const { output, signal } = context;
  const name = displayName(serverName(server.host, server.port));
  const intro =
    `The server ${output.style('bold', name)} is not known yet. Its key has the fingerprint\n` +
    `  ${output.style('bold', server.fingerprint)}\n` +
    (output.verbosity > 0 ? await otherForms(server.fingerprint) : '') +
    'Compare it with what its operator tells you (there: e2eeftp fingerprint known_server.pub).\n';
  let question = `${intro}Trust this server from now on? (yes, no, or paste the fingerprint) `;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const answer = await askAtTerminal(question, signal);
    if (answer === undefined || answer === '') return false;
    if (/^yes$/i.test(answer) || answer === server.fingerprint) return true;
    if (/^no?$/i.test(answer)) return false;
    if (answer.startsWith('SHA256:')) {
      output.error('That is not the fingerprint of this server: not trusted.');
      return false;
    }
    question = "Please answer 'yes', 'no', or paste the fingerprint: ";
  }
  return false;
}
