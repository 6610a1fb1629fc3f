import { CommanderError } from 'commander';
import { complain, complainOf } from './eachTrace.js';
import { Exit } from './exit.js';
import { createProgram } from './program.js';

// A reader that has seen enough (| head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    complain(`standard output cannot be written: ${error.message}`);
    process.exitCode = Exit.unusable;
  }
  process.exit();
});

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; help and version are no errors.
    process.exitCode = error.exitCode === 0 ? Exit.ok : Exit.unusable;
  } else {
    complainOf(error);
    process.exitCode = Exit.unusable;
  }
}
