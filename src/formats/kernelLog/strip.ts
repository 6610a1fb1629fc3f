import { readPrefix } from '../prefix.js';
import { clockOf } from './clock.js';

/** A record without its prefix; `time` by the wall clock, else the kernel's, in seconds. */
export function stripLine(line: string): {
  text: string;
  time: number | undefined;
  stamped: boolean;
} {
  const { text, time, stamped } = readPrefix(line);
  return { text, time: clockOf(line) ?? time, stamped };
}
