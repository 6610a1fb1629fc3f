import type { LogFact } from '../../events/logFacts.js';
import { createLogOrder } from '../../events/logOrder.js';
import type { TraceInfo } from '../../events/trace.js';
import { createBootLog } from '../bootLog.js';
import { BOUNCING } from './bouncing.js';
import { DMA_DEBUG } from './dmaDebug.js';
import { IOMMU_FAULTS } from './iommuFaults.js';
import { OTHER_FACTS } from './otherFacts.js';
import type { BareFact, Recogniser } from './recogniser.js';
import { REFUSALS } from './refusals.js';
import { createSmmuV3Reader } from './smmuV3.js';
import { stripLine } from './strip.js';

/** Every record that tells something, but for those that only several lines together tell. */
const RECOGNISERS: readonly Recogniser[] = [
  ...REFUSALS,
  ...BOUNCING,
  ...IOMMU_FAULTS,
  ...DMA_DEBUG,
  ...OTHER_FACTS,
];

/**
 * Words of which every record that tells something has one, even where a mail has wrapped it: lines
 * without them cost this one search.
 */
const ANCHORS =
  /swiotlb|SWIOTLB|IO[ _]TLB|DMA|IOMMU|AMD-Vi|iommu|smmu|SMMU|ffer overflow|Access before|callbacks|Reserved mem|reserved mem|memblock_reserve|cma: |io_tlb_|ainted|free_entries|Linux version|ommand line: |PAGE_SIZE/;

/** Lines that are put together before a record that breaks off is given up. */
const MAX_PARTS = 4;

/** A record that broke off, or a line with an anchor that tells nothing. */
interface Held {
  text: string;
  line: number;
  time: number | undefined;
  parts: number;
  /** It ended in a soft break of quoted-printable, so that no blank stood there. */
  soft: boolean;
}

/** Turns the lines of a kernel log into facts. */
export interface KernelLog {
  read(line: string, number: number): void;
  /** To be called after the last line. */
  end(): void;
}

/**
 * A reader of kernel logs, whatever stands in front of their records: what the boot says goes into
 * `info`, everything else to `onFact`, in the order of the log.
 */
export function createKernelLog(info: TraceInfo, onFact: (fact: LogFact) => void): KernelLog {
  const bootLog = createBootLog(info);
  const order = createLogOrder();
  const smmu = createSmmuV3Reader();
  let held: Held | undefined;
  let region: string | undefined;

  const emit = (fact: BareFact, line: number, time: number | undefined): void =>
    onFact(withOwnText({ ...fact, line, time } as LogFact));

  /** Whether a record tells something; everything that it tells is handed on. */
  function take(text: string, line: number, time: number | undefined): boolean {
    // In a log that runs backwards, the newest boot ends with the first banner.
    const done = info.kernel !== undefined && order.newestFirst();
    // Where its banner is, is told too: what stands there is of another kernel than what stood before.
    if (!done && bootLog.read(text, line) && !text.startsWith('Linux version ')) return true;
    const event = smmu.read(text, line, time);
    if (typeof event === 'object') onFact(withOwnText(event));
    if (event !== false) return true;
    region = /memblock_reserve: (\[\S{1,60}\])/.exec(text)?.[1] ?? region;
    for (const { literal, pattern, fact } of RECOGNISERS) {
      if (!text.includes(literal)) continue;
      const match = pattern.exec(text);
      const found = match === null ? undefined : fact(match);
      if (found === undefined) continue;
      emit(found.kind === 'cma' ? { ...found, region } : found, line, time);
      return true;
    }
    return false;
  }

  /** Whether a held line goes on in this one and tells something; the two are held together if not yet. */
  function goesOn(from: Held, raw: string, text: string): boolean {
    const joined = from.text + (from.soft ? '' : ' ') + text;
    if (take(joined.replace(/\s{2,16}/g, ' '), from.line, from.time)) return true;
    if (from.parts + 1 < MAX_PARTS) {
      const soft = raw.endsWith('=');
      held = { ...from, text: soft ? joined.slice(0, -1) : joined, parts: from.parts + 1, soft };
    }
    return false;
  }

  return {
    read(raw, line) {
      const anchored = ANCHORS.test(raw);
      if (!anchored && held === undefined) return;
      const { text, time, stamped } = stripLine(raw);
      order.see(time);
      const before = held;
      held = undefined;
      if (before !== undefined && !stamped && goesOn(before, raw, text)) return;
      if (!anchored) return;
      held = undefined;
      if (take(text, line, time)) return;
      const soft = raw.endsWith('=');
      held = { text: soft ? text.slice(0, -1) : text, line, time, parts: 1, soft };
    },
    end() {
      const event = smmu.rest();
      if (event !== undefined) onFact(withOwnText(event));
    },
  };
}

/**
 * A fact whose texts are copies: V8 cuts a string as a view of the one that it is cut from, so that a
 * name that is kept would keep the megabyte that it was read with.
 */
function withOwnText(fact: LogFact): LogFact {
  const entries = Object.entries(fact).map(([key, value]) => [
    key,
    typeof value === 'string' ? Buffer.from(value).toString() : value,
  ]);
  return Object.fromEntries(entries) as LogFact;
}
