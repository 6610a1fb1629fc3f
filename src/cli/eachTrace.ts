import { UserError } from '../events/errors.js';
import { harmlessLines } from '../render/harmless.js';
import { Exit, worstExit } from './exit.js';
import { type Output, openOutput } from './output.js';

/** Says something to the user that is no result. */
export function complain(message: string): void {
  process.stderr.write(`swiotlb-replay: ${harmlessLines(message)}\n`);
}

/** Tells of an error: its message if it is the user's to mend, else all that helps to find the fault. */
export function complainOf(error: unknown): void {
  if (error instanceof UserError) {
    complain(error.message);
    if (process.env.DEBUG !== 'swiotlb-replay') return;
  } else if (process.env.DEBUG !== 'swiotlb-replay') {
    complain(
      `internal error: ${error instanceof Error ? error.message : String(error)}\n` +
        '  this is a fault of swiotlb-replay: please report it with what DEBUG=swiotlb-replay prints',
    );
    return;
  }
  process.stderr.write(`${harmlessLines((error as Error).stack ?? '')}\n`);
}

/**
 * Does something with each trace and sets the exit status: a trace that cannot be used does not
 * keep the others from being used.
 */
export async function eachTrace(
  paths: readonly string[],
  file: string | undefined,
  action: (path: string, output: Output) => Promise<number>,
): Promise<void> {
  const output = openOutput(file);
  let status: number = Exit.ok;
  let failed = 0;
  try {
    for (const path of paths) {
      try {
        status = worstExit(status, await action(path, output));
      } catch (error) {
        complainOf(error);
        status = Exit.unusable;
        failed++;
      }
    }
    // What is told of no trace at all is no result: it must not stand in the place of an older one.
    if (failed === paths.length && file !== undefined) output.abandon();
    else await output.done();
  } catch (error) {
    output.abandon();
    throw error;
  }
  process.exitCode = status;
}
