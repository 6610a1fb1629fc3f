import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { devDbgLine } from '../support/devDbgLines.js';
import { type Reading, read } from '../support/reading.js';

const RECORDS = [
  devDbgLine(),
  devDbgLine({ slot: 1649, origAddr: 0x81234600 }),
  devDbgLine({ slot: 1653 }),
];

/** What the records are without the lines that they stand on. */
function eventsOf({ events }: Reading): object[] {
  return events.map((event) => ({ ...event, line: 0 }));
}

const WHOLE = eventsOf(await read(RECORDS.join('\n')));

/** The three records, each with its line broken at one place. */
function broken(at: string, newline: string): string {
  return RECORDS.map((record) => record.replace(at, newline)).join('\n');
}

describe('debug lines that a mailer wrapped', () => {
  test.each([
    ' alloc_size',
    ' 0x2000',
    ' iotlb_align_mask',
    ' 0x800',
    ' stride',
    ' 0x2:',
    ' got',
    ' slot',
    ' (0x',
  ])('in front of %j are the events that they were', async (at) => {
    const reading = await read(broken(at, `\n${at.slice(1)}`));
    expect(eventsOf(reading)).toEqual(WHOLE);
    expect(reading.events.map(({ line }) => line)).toEqual([1, 3, 5]);
    const { info, tally } = reading;
    expect(tally.lines).toBe(6);
    expect(info).toMatchObject({ joinedLines: 3, otherLines: 0, problems: { count: 0 } });
    expect(info.assumptions.at(-1)?.message).toBe(
      '3 lines were joined to records that a mailer or terminal had wrapped',
    );
  });

  test('behind the name of the device are the events that they were', async () => {
    const reading = await read(`text\n${broken(': orig_addr', ':\norig_addr')}`);
    expect(eventsOf(reading)).toEqual(WHOLE);
    expect(reading.events.map(({ line }) => line)).toEqual([2, 4, 6]);
    expect(reading.info).toMatchObject({ joinedLines: 3, otherLines: 1, problems: { count: 0 } });
  });

  test('in a reply to a reply are the events that they were', async () => {
    const quoted = broken(' 0x800', '\n0x800').replaceAll(/^(?=virtio)/gm, ' | ');
    const reading = await read(quoted.replaceAll(/^/gm, '> > > '));
    expect(eventsOf(reading)).toEqual(WHOLE);
    expect(reading.events.map(({ line }) => line)).toEqual([1, 3, 5]);
  });

  test('and encoded as quoted-printable are the events that they were', async () => {
    const lines = broken('mask 0x800', '=\nmask\n> 0x800').replaceAll(/^(?=virtio)/gm, '>  | ');
    const reading = await read(`${lines}\n> yours\n`);
    expect(eventsOf(reading)).toEqual(WHOLE);
    expect(reading.events.map(({ line }) => line)).toEqual([1, 4, 7]);
    expect(reading.info).toMatchObject({ joinedLines: 6, otherLines: 1 });
  });

  test('do not hide what another program printed in between', async () => {
    const reading = await read(broken(' stride', '\nsystemd[1]: Started x.\nstride'));
    expect(eventsOf(reading)).toEqual(WHOLE);
    expect(reading.info).toMatchObject({ joinedLines: 3, otherLines: 3, problems: { count: 0 } });
  });

  test('are no events where the rest never comes', async () => {
    const half = RECORDS[0].slice(0, RECORDS[0].indexOf(' stride'));
    const { events, info, tally } = await read(`${half}\na\nb\nc\n${RECORDS[1]}\n${half}\nd\n`);
    expect(events.map(({ line }) => line)).toEqual([5]);
    expect(info.problems.first.map(({ line }) => line)).toEqual([1, 6]);
    expect(info).toMatchObject({ joinedLines: 0, otherLines: 4, problems: { count: 2 } });
    expect(tally.lines).toBe(7);
  });

  test('are judged like whole ones', async () => {
    const bad = RECORDS[0].replace('/7168', '/0').replace(' stride', '\nstride');
    const { info } = await read(`${bad}\n${RECORDS[1]}\n`);
    expect(info.problems).toMatchObject({ count: 1, first: [{ line: 1 }] });
    expect(info.joinedLines).toBe(1);
  });

  test('are the same wherever blocks and batches end', async () => {
    const text = `${broken(' 0x800', '\n0x800')}\n`.repeat(3);
    const whole = await read(text);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 160, max: 1200 }), async (blockBytes) => {
        const reading = await read(text, { blockBytes });
        // A format is recognised within one block.
        fc.pre(reading.events.length > 0 && reading.events[0].line === 1);
        expect(reading.events).toEqual(whole.events);
        expect(reading.info.joinedLines).toBe(9);
        expect(reading.tally.lines).toBe(18);
      }),
    );
  });
});

describe('the call site that dynamic debug puts in front', () => {
  test.each([
    'swiotlb: ',
    'swiotlb:swiotlb_find_slots: ',
    '[143] swiotlb:swiotlb_find_slots:1045: ',
    '<intr> swiotlb:swiotlb_find_slots:kernel/dma/swiotlb.c:1045: ',
  ])('%j is no part of the device', async (site) => {
    const all = RECORDS.map((record) => site + record).join('\n');
    expect(eventsOf(await read(all))).toEqual(WHOLE);
    const wrapped = all.replaceAll(' stride', '\nstride');
    expect(eventsOf(await read(wrapped))).toEqual(WHOLE);
  });

  test('leaves a device that is not known', async () => {
    const line = RECORDS[0].replace('virtio-pci 0000:00:07.0', '(NULL device *)');
    for (const text of [line, line.replace(' stride', '\nstride')]) {
      const { events } = await read(`[143] swiotlb:swiotlb_find_slots:1045: ${text}`);
      expect(events).toMatchObject([{ device: '(NULL device *)', line: 1 }]);
    }
  });
});
