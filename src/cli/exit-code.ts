/** The exit codes of the command line; `docs/CLI.md` explains each. */
export const EXIT = {
  ok: 0,
  other: 1,
  usage: 2,
  partial: 10,
  incompatible: 12,
  interrupted: 130,
  /** 128 + SIGPIPE: the reader of standard output went away. */
  brokenPipe: 141,
  /** 128 + SIGTERM. */
  terminated: 143,
} as const;
