import type { Loss } from '../events/trace.js';
import { counted, wrap } from './columns.js';
import { harmless } from './harmless.js';

export { plainLosses as lossesJson } from '../report/plain.js';

/** Losses that are shown in words. */
const SHOWN = 5;

/** Lines that say that a trace is not whole, and why; none for one that is. */
export function lossLines(losses: readonly Loss[], width: number): string[] {
  if (losses.length === 0) return [];
  const lines = ['the trace is incomplete, so no verdict on it is safe'];
  for (const { line, events, message } of losses.slice(0, SHOWN)) {
    const place = line === undefined ? '' : ` (line ${line})`;
    const count = events === undefined ? '' : `${counted(events, 'event')} missing: `;
    lines.push(...wrap('  lost      ', `${count}${harmless(message)}${place}`, width));
  }
  if (losses.length > SHOWN) lines.push(`  and ${losses.length - SHOWN} more; --json has all`);
  return lines;
}
