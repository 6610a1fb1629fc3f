import type { DeviceAddress } from '../../dma/device.js';
import type { DmaRow } from '../../events/iommu.js';
import { addressIn, addressOf, addressWords, type Mapping } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome } from '../../replay/dmaIommu/session.js';
import type { Related } from '../finding.js';
import type { RuleId } from '../rules.js';
import { sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { isWithin, startOf } from './parts.js';
import { forget, noLines, recall, remember } from './recentLines.js';
import { callWords, countWords, findingAt } from './words.js';

/** The call that ends what another made. */
const ENDS_WITH: Partial<Record<DmaRow['op'], DmaRow['op']>> = {
  map_page: 'unmap_page',
  map_sg: 'unmap_sg',
  alloc: 'free',
  iova_alloc: 'iova_destroy',
};

const ENDS: ReadonlySet<string> = new Set(Object.values(ENDS_WITH));

/** Calls and accesses that need what their id names. */
const USES: ReadonlySet<string> = new Set([
  ...ENDS,
  'sync_single_cpu',
  'sync_single_dev',
  'sync_sg_cpu',
  'sync_sg_dev',
  'dev_write',
  'dev_read',
  'iova_link',
  'iova_unlink',
]);

/** Directions as drivers write them. */
const DIR_WORDS = ['bidirectional', 'to the device', 'from the device'];

/**
 * What dma-debug would say of the callers (kernel/dma/debug.c), by the ids of the trace. A use of an id
 * that was ended long ago is told as of one never mapped.
 */
export const createCallerCheck: DmaCheck = (session, tell) => {
  const { player } = session;
  const { devices } = player;
  /** Lines that ended a mapping, and lines whose map failed in the recorded kernel, by id. */
  const ended = noLines();
  const failed = noLines();
  /** Ids that only the model could not map: their driver is right to use them. */
  const excused = new Set<number>();

  function add(
    rule: RuleId,
    row: Pick<DmaRow, 'line' | 'device'>,
    address: DeviceAddress | undefined,
    message: string,
    related: Related[],
  ): void {
    tell(findingAt(session, row, rule, { address, message, related }));
  }

  function addressAt({ dma, device }: DmaRow): DeviceAddress | undefined {
    return dma.length === 0 ? undefined : addressOf(dma[0], devices[device].table.granule);
  }

  function what(row: DmaRow): string {
    const address = addressAt(row);
    const { granule } = devices[row.device].table;
    return callWords(row) + (address === undefined ? '' : ` at ${addressWords(address, granule)}`);
  }

  const mappedHere = ({ line }: Mapping): Related[] => [{ line, message: 'mapped here' }];

  function checkUnmapped(row: DmaRow): void {
    const line = recall(ended, row.id);
    const isEnd = ENDS.has(row.op);
    if (line === undefined) {
      const never = `${what(row)}: the trace maps no ${row.id}, or not any more`;
      add('unmatched-unmap', row, addressAt(row), never, []);
    } else {
      const rule = isEnd ? 'double-unmap' : 'unmatched-unmap';
      const verb = isEnd ? 'ended' : 'unmapped';
      const related = [{ line, message: 'unmapped here' }];
      add(rule, row, addressAt(row), `${what(row)}, which line ${line} ${verb} before`, related);
    }
  }

  /** An end that is not the counterpart of its map: another device, function or address. */
  function checkEnd(row: DmaRow, mapping: Mapping): void {
    const { op, device, recordedAt } = mapping;
    const start = recordedAt?.[0] ?? startOf(mapping);
    const named = addressAt(row);
    let wrong = '';
    if (row.device !== device) wrong = `is a mapping of ${devices[device].name}`;
    else if (ENDS_WITH[op] !== row.op) wrong = `was made by ${op}, which ${ENDS_WITH[op]} ends`;
    else if (named !== undefined && start !== undefined) {
      const isThere = named.pfn === start.pfn && named.offset === start.offset;
      const { granule } = devices[device].table;
      if (!isThere) wrong = `begins at ${addressWords(start, granule)}`;
    }
    if (wrong === '') return;
    add('unmatched-unmap', row, named, `${what(row)}: ${row.id} ${wrong}`, mappedHere(mapping));
  }

  function checkSize(row: DmaRow, mapping: Mapping): void {
    if (mapping.range !== undefined) return;
    if (row.op.startsWith('sync_single')) {
      const address = addressIn(player, row);
      if (address === undefined) return;
      const { granule } = devices[row.device].table;
      if (isWithin(mapping, address, row.size, granule)) return;
      const beyond = `${what(row)} is not within what is mapped`;
      add('size-mismatch', row, address, beyond, mappedHere(mapping));
    } else if (row.op !== 'dev_read' && row.op !== 'dev_write') {
      if (row.size === mapping.size || Number.isNaN(row.size)) return;
      const mapped = callWords({ ...row, op: mapping.op, size: mapping.size });
      const differs = `${what(row)}, against ${mapped}`;
      add('size-mismatch', row, startOf(mapping), differs, mappedHere(mapping));
    }
  }

  function checkDirection(row: DmaRow, mapping: Mapping): void {
    const isSync = row.op.startsWith('sync_');
    if (!isSync && row.op !== 'unmap_page' && row.op !== 'unmap_sg') return;
    if (row.dir === mapping.dir || Number.isNaN(row.dir)) return;
    // What goes both ways may be synced for either.
    if (isSync && mapping.dir === 0) return;
    add(
      'dir-mismatch',
      row,
      startOf(mapping),
      `${what(row)} ${DIR_WORDS[row.dir]}, which was mapped ${DIR_WORDS[mapping.dir]}`,
      mappedHere(mapping),
    );
  }

  function checkUse(row: DmaRow, mapping: Mapping | undefined): void {
    const failedIn = recall(failed, row.id);
    const isAccess = row.op === 'dev_read' || row.op === 'dev_write';
    if (failedIn !== undefined) {
      const unchecked = `${what(row)}: its map failed in line ${failedIn}, and nobody checked that`;
      const related = [{ line: failedIn, message: 'failed here' }];
      add('unmatched-unmap', row, addressAt(row), unchecked, related);
    } else if (mapping === undefined) {
      if (!isAccess && !excused.has(row.id)) checkUnmapped(row);
    } else {
      if (ENDS.has(row.op)) checkEnd(row, mapping);
      checkSize(row, mapping);
      checkDirection(row, mapping);
    }
    if (!ENDS.has(row.op)) return;
    excused.delete(row.id);
    forget(failed, row.id);
    if (mapping !== undefined) remember(ended, row.id, row.line);
  }

  function checkFailure({ row, played }: DmaOutcome): void {
    if (row.failed) remember(failed, row.id, row.line);
    else if (played.failed) excused.add(row.id);
  }

  return {
    onRow(outcome) {
      const { row, mapping } = outcome;
      if (ENDS_WITH[row.op] !== undefined) checkFailure(outcome);
      else if (USES.has(row.op)) checkUse(row, mapping);
    },

    atEnd() {
      const byDevice = new Map<number, { count: number; oldest: Mapping }>();
      for (const [id, mapping] of player.live) {
        // The recorded kernel had refused it: nobody has anything to unmap.
        if (recall(failed, id) !== undefined) continue;
        const left = byDevice.get(mapping.device) ?? { count: 0, oldest: mapping };
        left.count++;
        if (mapping.line < left.oldest.line) left.oldest = mapping;
        byDevice.set(mapping.device, left);
      }
      const byAge = [...byDevice.values()].sort((a, b) => a.oldest.line - b.oldest.line);
      for (const { count, oldest } of byAge) {
        const { mapped, granule } = devices[oldest.device].table;
        const still =
          `${countWords(count, 'mapping')} still live when the trace ends; the oldest is of this line` +
          ` (${sizeWords(mapped * granule)} of device addresses mapped)`;
        add('leak', oldest, startOf(oldest), still, []);
      }
    },
  };
};
