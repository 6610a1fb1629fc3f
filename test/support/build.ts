import { execFileSync } from 'node:child_process';
import { PROJECT } from './cli.js';

/** The command line is tested as it is shipped, so it is built before the tests. */
export default function build(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: PROJECT, stdio: 'inherit' });
}
