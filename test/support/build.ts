import { execFileSync } from 'node:child_process';
import { PROJECT } from './cli.js';

/** The command line is tested as it is shipped, so it is built before the tests. */
export default function build(): void {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: PROJECT, stdio: 'inherit' });
}
