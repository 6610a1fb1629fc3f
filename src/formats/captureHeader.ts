import { MAX_NSLABS } from '../events/numbers.js';
import { logProblem, shorten, type TraceInfo } from '../events/trace.js';
import { PAGE_SIZES } from '../kernel/constants.js';

/*
 * What the scripts of `capture` write around a recording, whatever tool made it:
 *
 * # capture: version 1
 * # capture: uname Linux host 6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16) x86_64 GNU/Linux
 * # capture: page_size 4096
 * # capture: config CONFIG_SWIOTLB_DYNAMIC=y
 * # capture: debugfs default io_tlb_nslabs 32768
 * # capture: profile unmap 70027 899
 * # capture: lost 12 perf
 */
const MARK = '# capture: ';

/** A kernel's banner is shorter; what is behind is not the kernel's. */
const MAX_UNAME = 512;

type ReadValue = (value: string, info: TraceInfo, line: number) => string | undefined;

/** What each key tells; other keys are for people. A message comes back for what cannot be. */
const KEYS: Readonly<Record<string, ReadValue>> = {
  version: (value) =>
    value === '1' ? undefined : `version ${value} of the archive is not known, only 1`,
  uname(value, info) {
    info.kernel ??= shorten(value, MAX_UNAME);
    return undefined;
  },
  page_size(value, info) {
    if (!PAGE_SIZES.includes(Number(value))) return `is none of ${PAGE_SIZES.join(', ')}`;
    info.pageSize ??= Number(value);
    return undefined;
  },
  config(value, info) {
    if (value === 'CONFIG_SWIOTLB_DYNAMIC=y') info.dynamic = true;
    return undefined;
  },
  debugfs(value, info) {
    const slots = /^default io_tlb_nslabs (\d{1,15})$/.exec(value);
    if (slots === null) return undefined;
    const nslabs = Number(slots[1]);
    if (nslabs > MAX_NSLABS) return `is more than ${MAX_NSLABS} slots`;
    if (nslabs > 0) info.defaultNslabs ??= nslabs;
    return undefined;
  },
  profile(value, info, line) {
    const counts = /^(\w{1,64}) (\d{1,15}) (\d{1,15})$/.exec(value);
    if (counts === null) return 'is not an event and its counts of hits and misses';
    const [, event, hits, missed] = counts;
    if (Number(missed) > 0) {
      info.losses.push({
        line,
        events: Number(missed),
        message: `the probe ${event} missed ${missed} calls and saw ${hits}`,
      });
    }
    return undefined;
  },
  lost(value, info, line) {
    const lost = /^(\d{1,15}) (\S{1,64})/.exec(value);
    if (lost === null) return 'is not a count and who lost so many';
    const [, count, who] = lost;
    if (Number(count) > 0) {
      info.losses.push({ line, events: Number(count), message: `${who} lost ${count} events` });
    }
    return undefined;
  },
};

/**
 * Reads a line that a script of `capture` wrote around a recording: kernel, page size, dynamic pools,
 * slots of the default pool, and what was lost. What the trace itself said before stands.
 * @returns whether it is such a line
 */
export function readCaptureLine(text: string, line: number, info: TraceInfo): boolean {
  if (!text.startsWith(MARK)) return false;
  const rest = text.slice(MARK.length);
  const blank = rest.indexOf(' ');
  const key = blank < 0 ? rest : rest.slice(0, blank);
  const value = blank < 0 ? '' : rest.slice(blank + 1).trim();
  const message = Object.hasOwn(KEYS, key) ? KEYS[key](value, info, line) : undefined;
  if (message !== undefined) logProblem(info.problems, line, `capture: ${key}: ${message}`, text);
  return true;
}
