import { CommanderError } from 'commander';
import { complainOf } from '../../build/cli/eachTrace.js';
import { completeAll, createProgram } from '../../build/cli/program.js';

/** Output beyond this is not kept: what matters shows before. */
const MOST_KEPT = 1 << 24;

/** The program, for its commands and options. */
export const program = createProgram();
await completeAll(program);

/** Runs a command line of the program in this process; gives what it printed and its exit status. */
export async function runProgram(words) {
  const kept = { stdout: '', stderr: '' };
  const originals = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (text, ...rest) => {
      if (kept[name].length < MOST_KEPT) kept[name] += text;
      rest.find((each) => typeof each === 'function')?.();
      return true;
    };
  }
  const start = performance.now();
  let error;
  process.exitCode = undefined;
  try {
    await createProgram().parseAsync(words, { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      process.exitCode = thrown.exitCode === 0 ? 0 : 2;
    } else {
      complainOf(thrown);
      process.exitCode = 2;
      if (!(thrown instanceof Error)) error = `something that is no error: ${thrown}`;
    }
  } finally {
    Object.assign(process.stdout, { write: originals.stdout });
    Object.assign(process.stderr, { write: originals.stderr });
  }
  const status = process.exitCode ?? 0;
  process.exitCode = undefined;
  return { ...kept, status, error, ms: performance.now() - start };
}
