import type { IommuRecord } from '../../events/iommuRecords.js';
import { logProblem, type ProblemLog } from '../../events/trace.js';
import { startsWithAt } from '../lines.js';
import { contextKey } from './contexts.js';
import { createIommuLabels } from './iommuLabels.js';
import { lowOf, pageOf, pagesOf } from './iommuPages.js';
import type { TraceRecord } from './record.js';
import { createWordTable, wordNumber } from './words.js';

/*
 * The stock events of an IOMMU's page tables. Before v5.19 a range is told by its start alone, and
 * all of them may stand on two lines where a mailer wrapped them:
 *
 *     map: IOMMU: iova=0x00000000ffffe000 - 0x00000000fffff000 paddr=0x0000000114aa3000 size=4096
 *     unmap: IOMMU: iova=0x00000000ffffa000 - 0x00000000ffffb000 size=4096 unmapped_size=4096
 *     io_page_fault: IOMMU:ath12k_pci 0000:c2:00.0 iova=0x00000000fe980000 flags=0x0001
 *     attach_device_to_domain: IOMMU: device=0000:00:02.0
 */
const END = '(?: - 0x[0-9a-f]{1,17})?';
const MAP = new RegExp(
  `^IOMMU: iova=0x([0-9a-f]{1,16})${END} paddr=0x([0-9a-f]{1,16}) size=(\\d{1,20})(?: |$)`,
);
const UNMAP = new RegExp(
  `^IOMMU: iova=0x([0-9a-f]{1,16})${END} size=(\\d{1,20}) unmapped_size=(\\d{1,20})(?: |$)`,
);
const FAULT =
  /^IOMMU:(\S{0,64}) (\S{1,128}) iova=0x([0-9a-f]{1,16}) flags=0x([0-9a-f]{1,8})(?: |$)/;
const ATTACH = /^IOMMU: device=(\S{1,128})(?: |$)/;

const EVENTS = ['map', 'unmap', 'io_page_fault', 'attach_device_to_domain'] as const;
type Event = (typeof EVENTS)[number];

const eventNames = createWordTable(EVENTS);

const MARK = Buffer.from('IOMMU:');

/** No record of these is longer. */
const MAX_TEXT = 512;

/** Reads what a trace says about page tables, beside the events of bounce buffers. */
export interface IommuScanner {
  /** Takes a record. @returns whether it is an iommu:* event that was read or may go on in the next line */
  read(bytes: Buffer, record: TraceRecord, line: number): boolean;
  /** Whether a line that is no record may be the rest of the last one. */
  awaitsRest(): boolean;
  /** Takes such a line. @returns whether it is the rest of the last record */
  join(text: string): boolean;
  /** Nothing follows. */
  end(): void;
}

/** A record that was cut where a mailer wrapped it. */
interface Cut {
  event: Event;
  text: string;
  line: number;
  time: number;
  task: number;
}

/** A reader of iommu:* records and of those that name the devices whose calls they belong to. */
export function createIommuScanner(
  problems: ProblemLog,
  onRecord: (record: IommuRecord) => void,
): IommuScanner {
  const labels = createIommuLabels(onRecord);
  let cut: Cut | undefined;

  function giveUp(): void {
    if (cut === undefined) return;
    logProblem(problems, cut.line, `the ${cut.event} of an IOMMU cannot be read`, cut.text);
    cut = undefined;
  }

  function take(made: Cut): boolean {
    const { event, text, line, time, task } = made;
    const read = READ[event](text);
    if (read === undefined) return false;
    onRecord({ ...read, line, time, task });
    return true;
  }

  return {
    read(bytes, record, line) {
      giveUp();
      if (!startsWithAt(bytes, record.bodyFrom, MARK)) {
        labels.read(bytes, record, line);
        return false;
      }
      labels.giveUp();
      const event = wordNumber(eventNames, bytes, record.nameFrom, record.nameTo);
      if (event < 0) return false;
      const to = Math.min(record.bodyTo, record.bodyFrom + MAX_TEXT);
      const made: Cut = {
        event: EVENTS[event],
        text: bytes.toString('utf8', record.bodyFrom, to),
        line,
        time: record.time,
        task: contextKey(record.pid, record.cpu),
      };
      if (!take(made)) cut = made;
      return true;
    },
    awaitsRest: () => cut !== undefined || labels.awaitsRest(),
    join(text) {
      if (labels.join(text)) return true;
      if (cut === undefined) return false;
      const whole = { ...cut, text: `${cut.text.trimEnd()} ${text.slice(0, MAX_TEXT).trim()}` };
      if (!take(whole)) giveUp();
      const isJoined = cut !== undefined;
      cut = undefined;
      return isJoined;
    },
    end: giveUp,
  };
}

type Made = 'line' | 'time' | 'task';
type Read = IommuRecord extends infer R ? (R extends unknown ? Omit<R, Made> : never) : never;

const READ: Record<Event, (text: string) => Read | undefined> = {
  map(text) {
    const match = MAP.exec(text);
    const pages = match === null ? undefined : wholePages(match[1], match[3]);
    if (match === null || pages === undefined) return undefined;
    return { kind: 'map', pages, phys: Number(`0x${match[2]}`) };
  },
  unmap(text) {
    const match = UNMAP.exec(text);
    const pages = match === null ? undefined : wholePages(match[1], match[2]);
    const unmapped = match === null ? 0 : Number(match[3]) / 4096;
    if (pages === undefined || !Number.isInteger(unmapped)) return undefined;
    return { kind: 'unmap', pages, unmapped };
  },
  io_page_fault(text) {
    const match = FAULT.exec(text);
    if (match === null) return undefined;
    const [, driver, device, iova, flags] = match;
    const address = { page: pageOf(iova), low: lowOf(iova) };
    return { kind: 'fault', device, driver, address, flags: Number.parseInt(flags, 16) };
  },
  attach_device_to_domain(text) {
    const match = ATTACH.exec(text);
    return match === null ? undefined : { kind: 'attach', device: match[1] };
  },
};

/** The pages of a range that an IOMMU maps: it has no part of one. */
function wholePages(iova: string, size: string): { first: number; last: number } | undefined {
  const bytes = Number(size);
  if (lowOf(iova) !== 0 || bytes % 4096 !== 0) return undefined;
  return pagesOf(iova, bytes);
}
