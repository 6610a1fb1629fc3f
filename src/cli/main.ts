import { setFlagsFromString } from 'node:v8';
import { CommanderError } from 'commander';
import { Exit } from './exit.js';
import { createProgram } from './program.js';

// What lives long here is in typed arrays and tables: a nursery for objects that grows would only take
// memory. To be said before there is much in it.
setFlagsFromString('--semi-space-growth-factor=1');

// A reader that has seen enough (| head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    process.stderr.write(`swiotlb-replay: standard output cannot be written: ${error.message}\n`);
    process.exitCode = Exit.unusable;
  }
  process.exit();
});

// Where nobody hears complaints (2>&1 | head, a full disk), the exit status still tells.
process.stderr.on('error', () => {});

createProgram()
  .parseAsync()
  .catch(async (error: unknown) => {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong; help and version are no errors.
      process.exitCode = error.exitCode === 0 ? Exit.ok : Exit.unusable;
    } else {
      const { complainOf } = await import('./eachTrace.js');
      complainOf(error);
      process.exitCode = Exit.unusable;
    }
  });
