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

describe('a plain record of a probe', () => {
  const mostly = (usual: string[], unusual: string[]): fc.Arbitrary<string> =>
    fc.oneof(
      { arbitrary: fc.constantFrom(...usual), weight: 20 },
      { arbitrary: fc.constantFrom(...unusual), weight: 1 },
    );
  const hex = mostly(
    ['0x0', '0x1000', '0x97ff0000', '0x1fFfffff000'],
    ['0xffffffffffffffff', '0xfffffffffffff', '0x10000000000000', '0xffffffffffffff', '0x', '-1'],
  );
  const odd = ['4096a', '-1', '0x10', '99999999999999999999', '1 total=5', ''];
  const decimal = mostly(['1', '4096', '123456789012'], odd);
  const device = mostly(['"eth0"', '"0000:00:07.0"', '"0000:01:07.0"'], ['eth0', '"a" b"', '""']);
  const map = fc.record({
    dev: device,
    orig_addr: hex,
    size: decimal,
    alloc_size: decimal,
    align_mask: mostly(['0x0', '0xfff'], ['0x1ffffffff']),
    dir: mostly(['0', '1', '2'], ['TO_DEVICE', '9']),
    dma_mask: hex,
    mem_start: mostly(['0x97ff0000'], ['0x98000000']),
  });
  const ret = fc.record({ ret: hex, base: hex, nslabs: mostly(['32768'], ['0', 'x']) });
  const unmap = fc.record({ dev: device, tlb_addr: hex, size: decimal, attrs: hex });
  const none = fc.record({ used: decimal });
  const body = fc.oneof(
    ...(
      [
        ['map', map],
        ['map_ret', ret],
        ['unmap', unmap],
        ['unmap_ret', none],
        ['map_locked', none],
      ] as const
    ).map(([event, fields]) => {
      const chosen = fields as fc.Arbitrary<Record<string, string>>;
      return fc
        .tuple(mostly(['f+0x5/0x460', 'f+0x5/0x4 <- g'], ['f=5', 'f) (g']), chosen, fc.nat(19))
        .map(([at, values, missing]) => {
          const texts = Object.entries(values).map(([name, value]) => `${name}=${value}`);
          if (missing < texts.length / 2) texts.splice(missing, 1);
          return `${missing === 19 ? 'swl:' : ''}${event}: (${at}) ${texts.join(' ')}`;
        });
    }),
  );
  const start = mostly(
    [
      '    kworker/0:1H-40      [000] d..1.   ',
      '          <idle>-0       [001] dNh1.   ',
      '          <idle>-0       [001] dN.h1..   ',
    ],
    ['    kworker/0:1H-40      [000]   ', '    kworker/[0]-7        [000] d..1.   ', ' a-7 [1] x '],
  );
  const time = mostly(
    ['100.000001', '100.2', '101.000017'],
    ['7', '1234567890.123456789012', '.5'],
  );
  const line = fc.tuple(start, time, body).map(([from, at, text]) => `${from}${at}: ${text}`);

  test('is read as it is with a carriage return, which takes the careful reader', async () => {
    const good = (mask: string) => [
      `map: (f+0x5/0x460) dev="eth0" orig_addr=0x1000 size=1 alloc_size=1 align_mask=0x0 dir=1 dma_mask=${mask} mem_start=0x97ff0000`,
      'map_ret: (f+0x5/0x4 <- g) ret=0x97ff0000 base=0x97ff0000 nslabs=32768',
      'unmap: (f+0x5/0x460) dev="eth0" tlb_addr=0x97ff0000 size=1 attrs=0x0',
    ];
    const masks = fc.constantFrom('0xfff', '10');
    await fc.assert(
      fc.asyncProperty(masks, fc.array(line, { maxLength: 40 }), async (mask, lines) => {
        const first = [...good(mask), ...good(mask)].map(
          (text) => `    kworker/0:1H-40      [000] d..1.   100.000000: ${text}`,
        );
        const all = async (end: string): Promise<unknown> => {
          const reading = await read([...first, ...lines, ''].join(end));
          const { losses, assumptions } = reading.info;
          return [gist(reading), reading.times, losses, assumptions];
        };
        expect(await all('\n')).toEqual(await all('\r\n'));
      }),
      { numRuns: 500 },
    );
  });
});
