import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a run of the built program gave. */
export interface CliResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The project's folder, in which the program runs. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs `swiotlb-replay` as a child process, without a terminal. */
export function swiotlbReplay(
  args: string[],
  { input = '', env = {} }: { input?: string | Buffer; env?: NodeJS.ProcessEnv } = {},
): CliResult {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['bin/swiotlb-replay.js', ...args],
    {
      cwd: PROJECT,
      input,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, ...env },
      maxBuffer: 1 << 28,
    },
  );
  return { status, stdout, stderr };
}
