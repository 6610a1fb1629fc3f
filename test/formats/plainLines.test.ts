import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DevDbgFields, devDbgLine } from '../support/devDbgLines.js';
import { type Reading, read } from '../support/reading.js';

/** What both readers must agree on. */
function gist({ events, info }: Reading): unknown {
  const { devices, pools, problems, otherLines } = info;
  const messages = problems.first.map(({ line, message }) => `${line}: ${message}`);
  return { events, devices, pools, messages, count: problems.count, otherLines };
}

/** Enough lines that are no events, so that the rows before are not near the end of their block. */
const REST = '# nothing else happens\n'.repeat(20);

describe('a plain CSV row', () => {
  const good = fc.oneof(
    fc.nat().map(String),
    fc.maxSafeNat().map((value) => `0x${(value % 2 ** 52).toString(16)}`),
    fc.constantFrom('', '00012', '0xFFF', '4503599627370495', '0xfffffffffffff'),
  );
  const odd = fc.constantFrom(
    ...['0', '0x', '12a', '-1', '1e3', ' 1', '4503599627370496', '0x10000000000000'],
    ...['4294967296', '0x00000000000000001000', '99999999999999999999'],
  );
  const number = fc.oneof({ arbitrary: good, weight: 20 }, { arbitrary: odd, weight: 1 });
  const mostly = (usual: string[], unusual: string[]): fc.Arbitrary<string> =>
    fc.oneof(
      { arbitrary: fc.constantFrom(...usual), weight: 20 },
      { arbitrary: fc.constantFrom(...unusual), weight: 1 },
    );
  const fields = fc.record({
    time: mostly(['', '0.001', '12'], ['x y']),
    cpu: mostly(['', '0', '7', '1048575'], ['1048576', 'x']),
    dev: mostly(['sda', 'eth0', '0000:00:07.0', '0000:01:07.0'], ['', 'x'.repeat(70), 'ü', 'a b']),
    op: mostly(['map', 'unmap', 'alloc', 'free', 'sync_for_cpu'], ['grow', 'ummap', 'mapp', '']),
    orig_addr: number,
    size: number,
    alloc_size: number,
    alloc_align_mask: mostly(['', '0', '0xfff', '4294967295'], ['4294967296', 'x']),
    dir: mostly(['', 'to_device', 'from_device', 'bidirectional'], ['to_devicf', 'up']),
    tlb_addr: fc.oneof(number, mostly(['full', ''], ['hang', 'fuller', 'ful'])),
    flags: mostly([''], ['transient=0x1000']),
  });

  test('is read as it is with quotes around a field, which takes the careful reader', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 8 }), async (rows) => {
        const header = `${Object.keys(rows[0]).join(',')}\n`;
        const first = ',0,sda,map,0x1000,4096,,,,,\n';
        const textOf = (quote: string): string =>
          `${header}${first}${rows
            .map(({ time, ...others }) =>
              [quote + time + quote, ...Object.values(others)].join(','),
            )
            .join('\n')}\n`;
        expect(gist(await read(textOf('')))).toEqual(gist(await read(textOf('"'))));
      }),
      { numRuns: 300 },
    );
  });

  test('may end in a carriage return, and may be the last without a newline', async () => {
    const { events } = await read('dev,op,orig_addr,size\r\na,map,0x1000,5\r\nb,map,0x2000,6');
    expect(events.map(({ device, origAddr, size }) => [device, origAddr, size])).toEqual([
      ['a', 0x1000, 5],
      ['b', 0x2000, 6],
    ]);
  });
});

describe('a plain debug line', () => {
  const fields = fc.record<DevDbgFields>({
    device: fc.constantFrom('0000:00:07.0', '0000:01:07.0', 'a', 'platform-device'),
    origAddr: fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeNat()),
    allocSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0x40000 }), fc.maxSafeNat()),
    alignMask: fc.constantFrom(0, 0x800, 0xf800, 0xffff_ffff, 0x1_0000_0000),
    slot: fc.nat(7168),
    nslots: fc.nat(8),
    nslabs: fc.constantFrom(7168, 0, 2 ** 24, 2 ** 31),
    tlbAddr: fc.oneof(fc.nat(), fc.maxSafeNat()),
  });

  test('is read as it is with words behind it, which take the careful reader', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { maxLength: 8 }), async (lines) => {
        const textOf = (behind: string): string =>
          [{}, ...lines].map((line) => `${devDbgLine(line)}${behind}\n`).join('') + REST;
        expect(gist(await read(textOf('')))).toEqual(gist(await read(textOf(' .'))));
      }),
      { numRuns: 300 },
    );
  });

  test('is found between lines that begin like it', async () => {
    const lookalikes = ['dma_addr 0x1000', 'x orig_addr 0', 'orig_add', ' orig_addr 0x5 is mine'];
    const text = [...lookalikes, devDbgLine(), ...lookalikes, devDbgLine({ slot: 1649 }), ''];
    const { events, info, tally } = await read(text.join('\n') + REST);
    expect(events.map(({ line }) => line)).toEqual([5, 10]);
    expect(info.problems.count).toBe(0);
    expect(info.otherLines).toBe(28);
    expect(tally.lines).toBe(30);
  });
});
