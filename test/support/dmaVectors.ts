import { exposed } from '../../src/dma/access.js';
import { Origin } from '../../src/dma/memory.js';
import type { DmaIommuTrace, DmaRow } from '../../src/events/iommu.js';
import { hex } from '../../src/events/numbers.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import type { Played, Player } from '../../src/replay/dmaIommu/player.js';
import { createDmaSession } from '../../src/replay/dmaIommu/session.js';
import type { Whole } from './iommuVectors.js';

/** What a replay of a dma-iommu trace shows. */
export interface DmaReplay {
  compared: number;
  differences: string[];
}

/** Bytes that a device reaches, that are not its own and not zero. */
function leakedBytes({ system, devices, live }: Player, device: number): number {
  const owned = [...live.values()].filter((mapping) => mapping.device === device);
  const pieces = exposed(
    system,
    devices[device],
    owned.flatMap((mapping) => mapping.owned),
  );
  return pieces.reduce(
    (sum, { origin, length }) => sum + (origin === Origin.zeroed ? 0 : length),
    0,
  );
}

/** The state columns after a row, and what it did. */
function stateOf(player: Player, device: number): Record<string, string> {
  const { effects, allocator } = player.system;
  const { warnings, strayFills, strayCopies } = effects;
  const syncs = effects.cacheSyncs.map(
    ({ for: who, phys, length }) => `${who === 'device' ? 'D' : 'C'}${hex(phys)}+${length}`,
  );
  return {
    granules: String(player.devices[device].table.mapped),
    slots: String(allocator.used),
    leaked: String(leakedBytes(player, device)),
    to_bounce: `${effects.copiesIn}:${effects.bytesIn}`,
    from_bounce: `${effects.copiesOut}:${effects.bytesOut}`,
    arch: syncs.join(';'),
    warn: String(warnings + 1000 * strayFills + 100000 * strayCopies),
  };
}

function recordedState(row: DmaRow): Record<string, string> {
  const { toBounce, fromBounce } = row;
  return {
    granules: String(row.granules),
    slots: String(row.slots),
    leaked: String(row.leaked),
    to_bounce: `${toBounce.copies}:${toBounce.bytes}`,
    from_bounce: `${fromBounce.copies}:${fromBounce.bytes}`,
    arch: row.arch
      .map(({ for: who, phys, length }) => `${who === 'device' ? 'D' : 'C'}${hex(phys)}+${length}`)
      .join(';'),
    warn: String(row.warn),
  };
}

function dmaWords(row: DmaRow): string {
  if (row.failed) return 'error';
  return row.dma
    .map(({ page, low, length }) => {
      const address = `0x${(BigInt(page) * 4096n + BigInt(low)).toString(16)}`;
      return Number.isNaN(length) ? address : `${address}+${length}`;
    })
    .join(';');
}

function physWords(row: DmaRow): string {
  return row.phys.map(({ phys, length }) => `${hex(phys)}+${length}`).join(';');
}

/** The columns in which a row's replay differs. */
function compareRow(player: Player, row: DmaRow, outcome: Played): string[] {
  const zeroes = { granules: '0', slots: '0', leaked: '0', to_bounce: '0:0', from_bounce: '0:0' };
  const state = outcome.hangs ? { ...zeroes, arch: '', warn: '0' } : stateOf(player, row.device);
  const was: Record<string, string> = { ...state, dma: outcome.dma, result: outcome.result };
  const expected: Record<string, string> = {
    ...recordedState(row),
    dma: dmaWords(row),
    result: row.result,
  };
  was.crc = outcome.crc === undefined ? '' : outcome.crc.toString(16);
  expected.crc = Number.isNaN(row.crc) ? '' : row.crc.toString(16);
  if (outcome.phys !== undefined) {
    was.phys = outcome.phys;
    expected.phys = physWords(row);
  }
  return Object.keys(expected)
    .filter((column) => was[column] !== expected[column])
    .map((column) => `${column} recorded ${expected[column]}, replayed ${was[column]}`);
}

/** Replays a dma-iommu trace and compares every column of every row. */
export function replayDma(trace: Whole<DmaIommuTrace, DmaRow>, release: IommuRelease): DmaReplay {
  const session = createDmaSession(trace, release);
  const { player } = session;
  const differences = trace.problems.first.map(({ line, message }) => `line ${line}: ${message}`);
  const ran: string[] = [];
  let compared = 0;
  session.observers.push({
    onRow({ row, played, timers }) {
      for (const { kind, time, cpu, device } of timers) {
        // The recorders wrote no rows for the depot's work.
        if (kind === 'flush-timeout') ran.push(`${time} ${cpu} ${trace.devices[device].name}`);
      }
      if (row.op === 'fq_timeout') {
        const expected = `${row.time} ${row.cpu} ${trace.devices[row.device].name}`;
        const was = ran.shift();
        if (was !== expected) differences.push(`line ${row.line}: ${expected}, replayed ${was}`);
      } else if (ran.length > 0) {
        differences.push(`line ${row.line}: missed ${ran.join()}`);
      }
      compared++;
      const wrong = compareRow(player, row, played);
      differences.push(...wrong.map((words) => `line ${row.line}: ${row.op} ${words}`));
    },
  });
  for (const row of trace.rows) {
    if (!session.run(row) || differences.length > 5) break;
  }
  session.finish();
  return { compared, differences };
}
