import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatch, Flag, OP_NAMES, Op, Recorded } from '../../src/events/batch.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { createUntoldReleases } from '../../src/replay/untoldReleases.js';

const BASE = 0x97ff0000;
const NSLABS = 512;

/** First slot and number of slots of a request; each has a line of its own, from 1 on. */
type Slots = readonly [slot: number, nslots: number];

function infoOf(omitsReleases: boolean): TraceInfo {
  const info = { ...emptyTraceInfo(), omitsReleases };
  const place = { base: BASE, nslabs: NSLABS, areas: 1, restricted: false };
  info.pools.push({ ...place, name: 'pool0', startIndexes: [], indexKnowledge: 'default' });
  info.devices.push({ name: 'nvme0', pool: 'pool0' });
  return info;
}

/** What is handed on, as `op slot @line`, for requests that come in batches of so many. */
function handedOn(requests: readonly Slots[], perBatch: number, info: TraceInfo): string[] {
  const seen: string[] = [];
  const untold = createUntoldReleases(info, (batch) => {
    for (let n = 0; n < batch.length; n++) {
      const slot = (batch.tlbAddr[n] - (batch.tlbAddr[n] & 2047) - BASE) / 2048;
      seen.push(`${OP_NAMES[batch.op[n]]} ${slot}+${batch.tlbAddr[n] & 2047} @${batch.line[n]}`);
    }
  });
  for (let from = 0; from < requests.length; from += perBatch) {
    const batch = createBatch(perBatch);
    for (const [slot, nslots] of requests.slice(from, from + perBatch)) {
      const n = batch.length++;
      batch.op[n] = Op.map;
      batch.line[n] = from + n + 1;
      batch.recorded[n] = Recorded.address;
      batch.tlbAddr[n] = BASE + slot * 2048 + (slot % 7);
      batch.flag[n] = Flag.slots;
      batch.flagValue[n] = nslots;
    }
    untold.run(batch);
  }
  return seen;
}

describe('slots that are taken again', () => {
  test('release each buffer that had one of them, right before, and it is said once', () => {
    const info = infoOf(true);
    const requests: Slots[] = [
      [0, 4],
      [4, 2],
      [6, 4],
      [2, 5],
      [0, 1],
      [2, 1],
    ];
    expect(handedOn(requests, 8, info)).toEqual([
      'map 0+0 @1',
      'map 4+4 @2',
      'map 6+6 @3',
      'unmap 0+0 @4',
      'unmap 4+4 @4',
      'unmap 6+6 @4',
      'map 2+2 @4',
      'map 0+0 @5',
      'unmap 2+2 @6',
      'map 2+2 @6',
    ]);
    expect(info.assumptions).toMatchObject([
      { line: 4, message: expect.stringMatching(/^releases inferred, here and further on: 4;/) },
    ]);
    expect(info.losses).toEqual([]);
  });

  test('release nothing where the trace tells of releases, and there is nothing to say', () => {
    const info = infoOf(false);
    const requests: Slots[] = [
      [0, 4],
      [0, 4],
    ];
    expect(handedOn(requests, 8, info)).toEqual(['map 0+0 @1', 'map 0+0 @2']);
    expect(info.assumptions).toEqual([]);
  });

  test('release just who has them, whatever the batches', () => {
    const slots = fc.tuple(fc.nat(NSLABS - 129), fc.integer({ min: 1, max: 128 }));
    fc.assert(
      fc.property(
        fc.array(slots, { maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        (all, per) => {
          const expected: string[] = [];
          let live: Slots[] = [];
          all.forEach(([slot, nslots], index) => {
            const isHit = ([at, count]: Slots) => at < slot + nslots && slot < at + count;
            const gone = live.filter(isHit).sort(([a], [b]) => a - b);
            for (const [at] of gone) expected.push(`unmap ${at}+${at % 7} @${index + 1}`);
            live = [...live.filter((other) => !isHit(other)), [slot, nslots]];
            expected.push(`map ${slot}+${slot % 7} @${index + 1}`);
          });
          expect(handedOn(all, per, infoOf(true))).toEqual(expected);
        },
      ),
    );
  });
});
