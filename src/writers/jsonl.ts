import {
  BIDIRECTIONAL,
  DIR_NAMES,
  type EventBatch,
  OP_NAMES,
  Op,
  Recorded,
} from '../events/batch.js';
import type { Expectation } from '../events/trace.js';
import { harmlessJson, wellFormed } from '../render/harmless.js';
import type { CanonicalWriter, Declarations } from './canonical.js';
import { flagText, hexOf, maskText, timeText } from './text.js';

/** Writes the canonical trace as JSON lines. @param nameOf a device's name, for its number */
export function jsonlWriter(nameOf: (device: number) => string): CanonicalWriter {
  const names: string[] = [];
  /** A name as a JSON string: made once. */
  function nameText(device: number): string {
    names[device] ??= harmlessJson(wellFormed(nameOf(device)));
    return names[device];
  }

  return {
    head: (declarations) => headText(declarations, nameOf),
    events(batch, from, to) {
      let text = '';
      for (let n = from; n < to; n++) text += rowText(batch, n, nameText);
      return text;
    },
    end: (expectations) => expectations.map((each) => line({ expect: expectOf(each) })).join(''),
  };
}

function line(object: Readonly<Record<string, unknown>>): string {
  return `${harmlessJson(object)}\n`;
}

function headText(
  { kernel, pageSize, dynamic, pools, devices, comments, lost }: Declarations,
  nameOf: (device: number) => string,
): string {
  const lines = [
    {
      trace: 1,
      kernel: { ...(kernel !== undefined && { version: kernel }), page_size: pageSize, dynamic },
    },
    ...comments.map((comment) => ({ comment })),
    ...lost.map((events) => ({ lost: Number.isNaN(events) ? {} : { events } })),
    ...pools.map(({ name, base, nslabs, areas, startIndexes, indexKnowledge, restricted }) => ({
      pool: {
        name,
        base: hexOf(base),
        nslabs,
        areas,
        ...(indexKnowledge === 'given' && { index: startIndexes }),
        ...(restricted && { restricted }),
      },
    })),
    ...devices.flatMap((device, n) =>
      device === undefined
        ? []
        : [
            {
              device: {
                name: wellFormed(nameOf(n)),
                min_align_mask: hexOf(device.minAlignMask ?? 0),
                ...(device.segBoundaryMask !== undefined && {
                  seg_boundary_mask: maskText(device.segBoundaryMask),
                }),
                ...(device.dmaMask !== undefined && { dma_mask: maskText(device.dmaMask) }),
                ...(device.pool !== undefined && { pool: device.pool }),
              },
            },
          ],
    ),
  ];
  return lines.map(line).join('');
}

function expectOf({
  pool,
  used,
  usedHiwater,
  index,
}: Omit<Expectation, 'line'>): Record<string, unknown> {
  // What is undefined is not written.
  return { pool, used, used_hiwater: usedHiwater, index };
}

/** One event, by hand: JSON.stringify() of an object costs several times as much. */
function rowText(batch: EventBatch, n: number, nameText: (device: number) => string): string {
  const op = batch.op[n];
  const time = timeNumber(batch.time[n]);
  const size = batch.size[n];
  const allocSize = batch.allocSize[n];
  const alignMask = batch.allocAlignMask[n];
  const hasOrigAddr = op === Op.map || op === Op.grow;
  const flags = flagText(batch.flag[n], batch.flagValue[n], batch.look[n]);
  return (
    `{${time === '' ? '' : `"time":${time},`}"cpu":${batch.cpu[n]},` +
    `${op === Op.grow ? '' : `"dev":${nameText(batch.device[n])},`}"op":"${OP_NAMES[op]}"` +
    `${hasOrigAddr ? `,"orig_addr":"${hexOf(batch.origAddr[n])}"` : ''}` +
    `${Number.isNaN(size) ? '' : `,"size":${size}`}` +
    `${Number.isNaN(allocSize) || allocSize === size ? '' : `,"alloc_size":${allocSize}`}` +
    `${alignMask === 0 ? '' : `,"alloc_align_mask":"${hexOf(alignMask)}"`}` +
    `${batch.dir[n] === BIDIRECTIONAL ? '' : `,"dir":"${DIR_NAMES[batch.dir[n]]}"`}` +
    `${resultText(batch, n)}${flags === '' ? '' : `,"flags":"${flags}"`}}\n`
  );
}

/** Below a microsecond a reader of JSON would make it a number with an exponent: so it is a string. */
function timeNumber(time: number): string {
  const text = timeText(time);
  return time > 0 && time < 1e-6 ? `"${text}"` : text;
}

function resultText(batch: EventBatch, n: number): string {
  switch (batch.recorded[n]) {
    case Recorded.address:
      return `,"tlb_addr":"${hexOf(batch.tlbAddr[n])}"`;
    case Recorded.full:
      return ',"tlb_addr":"full"';
    case Recorded.hang:
      return ',"tlb_addr":"hang"';
    default:
      return '';
  }
}
