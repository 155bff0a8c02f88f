/**
 * The scripts that let a shell complete e2eeftp: the files in `completion/` of the package. They hold no verb and no
 * option; each asks `e2eeftp __complete`, so a script that was installed once knows what the installed e2eeftp knows.
 * What that takes and answers is told in `complete.ts`.
 */
import { readFileSync } from 'node:fs';

const FILES = { bash: 'e2eeftp.bash', zsh: 'e2eeftp.zsh', fish: 'e2eeftp.fish', powershell: 'e2eeftp.ps1' } as const;

export type Shell = keyof typeof FILES;

export const SHELLS: readonly Shell[] = Object.keys(FILES) as Shell[];

/** The script for a shell, to be sourced or installed. */
export function completionScript(shell: Shell): string {
  return readFileSync(new URL(`../../../completion/${FILES[shell]}`, import.meta.url), 'utf8');
}
