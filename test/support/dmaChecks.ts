import { DMA_CHECKS } from '../../src/check/dma/checks.js';
import type { Finding } from '../../src/check/finding.js';
import type { DmaIommuTrace, DmaRow } from '../../src/events/iommu.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { createDmaSession, type DmaObserver } from '../../src/replay/dmaIommu/session.js';
import { readDmaIommuTrace, type Whole } from './iommuVectors.js';

/** The header of a trace of ours: one untrusted NVMe, one untrusted NIC, one trusted disk. */
export function headerOf({
  pageSize = 4096,
  granule = 4096,
  nslabs = 1024,
  mask = '0xfff',
} = {}): string[] {
  const common = `granule=${granule} start_pfn=1 lazy=0 pci=1 coherent=1 seg_boundary_mask=0xffffffff max_seg_size=65536`;
  return [
    '#dma-iommu-trace 1',
    `#kernel version=v7.2 page_size=${pageSize} cpus=1 hz=1000`,
    '#ram base=0x40000000 size=0x2000000',
    `#pool name=default base=0x41000000 nslabs=${nslabs} areas=1`,
    `#device name=nvme ${common} dma_mask=0xffffffffffffffff untrusted=1 min_align_mask=${mask}`,
    `#device name=eth ${common} dma_mask=0xffffffff untrusted=1 min_align_mask=0x0`,
    `#device name=disk ${common} dma_mask=0xffffffff untrusted=0 min_align_mask=0x0`,
    'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,to_bounce,from_bounce,arch,warn,crc',
  ];
}

/** A row without anything recorded: `nvme,map_page,1,0x40300200,700,1` and, if need be, attrs, dma, result. */
function rowOf(text: string, time = 0): string {
  const [dev, op, id, phys, size, dir, attrs = '0x0', dma = '', result = ''] = text.split(',');
  const call = [dev, op, id, phys, size, dir, attrs, dma, result].join(',');
  return `${(time / 1000).toFixed(3)},0,${call},0,0,0,0:0,0:0,,0,`;
}

/** A trace of rows as rowOf() takes them; the first is in line 9. */
export function traceOf(
  rows: readonly string[],
  header = headerOf(),
): Whole<DmaIommuTrace, DmaRow> {
  const trace = readDmaIommuTrace([...header, ...rows.map((row, n) => rowOf(row, n))]);
  if (trace.problems.count > 0) throw new Error(JSON.stringify(trace.problems.first));
  return trace;
}

/** What every check finds in a trace, replayed in a release. */
export function findIn(
  trace: Whole<DmaIommuTrace, DmaRow>,
  name: string,
  watch: (
    session: ReturnType<typeof createDmaSession>,
    found: readonly Finding[],
  ) => DmaObserver = () => ({}),
): Finding[] {
  const release = findIommuRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  const session = createDmaSession(trace, release);
  const found: Finding[] = [];
  for (const check of DMA_CHECKS) {
    session.observers.push(check(session, (finding) => found.push(finding)));
  }
  session.observers.push(watch(session, found));
  for (const row of trace.rows) session.run(row);
  session.finish();
  return found;
}

/** Findings in short: `rule@line`. */
export function short(found: readonly Finding[]): string[] {
  return found.map(({ rule, line }) => `${rule}@${line}`);
}
