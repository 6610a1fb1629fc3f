import type { DeviceAddress } from '../../dma/device.js';
import type { DmaRow } from '../../events/iommu.js';
import { CALLS, type DmaCall } from '../../replay/dmaIommu/calls.js';
import {
  addressIn,
  addressOf,
  addressWords,
  isSameAddress,
  type Mapping,
} from '../../replay/dmaIommu/player.js';
import type { DmaOutcome } from '../../replay/dmaIommu/session.js';
import type { Related } from '../finding.js';
import type { RuleId } from '../rules.js';
import { sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { isWithin, startOf } from './parts.js';
import { forget, noLines, recall, remember } from './recentLines.js';
import { callWords, countWords, findingAt } from './words.js';

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
    const isEnd = CALLS[row.op].ends;
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
    const { endedBy } = CALLS[op];
    let wrong = '';
    if (row.device !== device) wrong = `is a mapping of ${devices[device].name}`;
    else if (endedBy !== row.op) wrong = `was made by ${op}, which ${endedBy} ends`;
    else if (row.dma.length > 0) {
      const start = recordedAt?.[0] ?? startOf(mapping);
      const { granule } = devices[device].table;
      if (start !== undefined && !isSameAddress(row.dma[0], start, granule)) {
        wrong = `begins at ${addressWords(start, granule)}`;
      }
    }
    if (wrong === '') return;
    const named = addressAt(row);
    add('unmatched-unmap', row, named, `${what(row)}: ${row.id} ${wrong}`, mappedHere(mapping));
  }

  function checkSize(row: DmaRow, { isSync, isSg, isAccess }: DmaCall, mapping: Mapping): void {
    if (mapping.range !== undefined) return;
    if (isSync && !isSg) {
      const address = addressIn(player, row);
      if (address === undefined) return;
      const { granule } = devices[row.device].table;
      if (isWithin(mapping, address, row.size, granule)) return;
      const beyond = `${what(row)} is not within what is mapped`;
      add('size-mismatch', row, address, beyond, mappedHere(mapping));
    } else if (!isAccess) {
      if (row.size === mapping.size || Number.isNaN(row.size)) return;
      const mapped = callWords({ ...row, op: mapping.op, size: mapping.size });
      const differs = `${what(row)}, against ${mapped}`;
      add('size-mismatch', row, startOf(mapping), differs, mappedHere(mapping));
    }
  }

  function checkDirection(row: DmaRow, { isSync }: DmaCall, mapping: Mapping): void {
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

  function checkUse({ row, call, mapping }: DmaOutcome): void {
    const { ends, isAccess } = call;
    const failedIn = recall(failed, row.id);
    if (failedIn !== undefined) {
      const unchecked = `${what(row)}: its map failed in line ${failedIn}, and nobody checked that`;
      const related = [{ line: failedIn, message: 'failed here' }];
      add('unmatched-unmap', row, addressAt(row), unchecked, related);
    } else if (mapping === undefined) {
      if (!isAccess && !excused.has(row.id)) checkUnmapped(row);
    } else {
      if (ends) checkEnd(row, mapping);
      checkSize(row, call, mapping);
      checkDirection(row, call, mapping);
    }
    if (!ends) return;
    if (excused.size > 0) excused.delete(row.id);
    forget(failed, row.id);
    if (mapping !== undefined) remember(ended, row.id, row.line);
  }

  function checkFailure({ row, played }: DmaOutcome): void {
    if (row.failed) remember(failed, row.id, row.line);
    else if (played.failed) excused.add(row.id);
  }

  return {
    onRow(outcome) {
      const { call } = outcome;
      if (call.endedBy !== undefined) checkFailure(outcome);
      else if (call.uses) checkUse(outcome);
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
