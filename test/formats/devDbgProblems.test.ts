import { describe, expect, test } from 'vitest';
import { devDbgLine, POSTED_BASE } from '../support/devDbgLines.js';
import { read, userErrorOf } from '../support/reading.js';

const GOOD = devDbgLine();

/** What is said of a bad line that stands third, between good ones that must stay events. */
async function problemOf(bad: string, lastNewline = true): Promise<string> {
  const after = lastNewline ? `\n${GOOD}\n` : '';
  const { events, info, tally } = await read(`${GOOD}\nother text\n${bad}${after}`);
  expect(events.map((event) => event.line)).toEqual(lastNewline ? [1, 4] : [1]);
  expect(tally.lines).toBe(lastNewline ? 4 : 3);
  expect(info.problems.count).toBe(1);
  const [{ line, message, text }] = info.problems.first;
  expect(line).toBe(3);
  expect(bad.startsWith(text.replace(/\.\.\.$/, ''))).toBe(true);
  return message;
}

describe('a debug line whose pool disagrees with earlier lines of its device', () => {
  test('about where the pool begins', async () => {
    const bad = devDbgLine({ slot: 1649, tlbAddr: POSTED_BASE + 1650 * 2048 });
    expect(await problemOf(bad)).toBe(
      'slot 1649 at 0x98329000 puts the pool at 0x97ff0800, but line 1 puts it at 0x97ff0000',
    );
  });

  test('about the number of slots', async () => {
    expect(await problemOf(devDbgLine({ nslabs: 7169 }))).toBe(
      'a pool of 7169 slots, but line 1 says 7168 for this device',
    );
  });
});

describe('a debug line with impossible numbers', () => {
  const address = 'is not a physical address (below 2^52)';
  const size = 'alloc_size is not a size of 1 byte or more';
  const range = 'the slot range is empty or not a number';
  test.each([
    ['orig_addr 0x0', 'orig_addr 0x10000000000000', `orig_addr ${address}`],
    ['orig_addr 0x0', 'orig_addr 0xffff800012345678', `orig_addr ${address}`],
    ['orig_addr 0x0', 'orig_addr 0xghij', `orig_addr ${address}`],
    ['orig_addr 0x0', 'orig_addr 0x', `orig_addr ${address}`],
    ['alloc_size 0x2000', 'alloc_size 0x0', size],
    ['alloc_size 0x2000', 'alloc_size 0x', size],
    ['alloc_size 0x2000', 'alloc_size 0xffffffffffffffff', size],
    ['mask 0x800', 'mask 0x100000000', 'iotlb_align_mask is not a 32-bit mask'],
    ['mask 0x800', 'mask 0x-1', 'iotlb_align_mask is not a 32-bit mask'],
    ['/7168', '/0', 'the pool does not have 1 to 16777216 slots'],
    ['/7168', '/16777217', 'the pool does not have 1 to 16777216 slots'],
    ['/7168', '/many', 'the pool does not have 1 to 16777216 slots'],
    ['1645-1649', '1645-1645', range],
    ['1645-1649', '1649-1645', range],
    ['1645-1649', '-1-1649', range],
    ['1645-1649', '1645-x', range],
    ['1645-1649', '7165-7169', "slot 7168 is beyond the pool's 7168 slots"],
    ['(0x98326800)', '(0x10000000000000)', `the address ${address}`],
    ['(0x98326800)', '(0xnone)', `the address ${address}`],
    ['(0x98326800)', '(0x336000)', 'address 0x336000 is too low for slot 1645: the pool would'],
  ])('%s as %s', async (was, is, message) => {
    const bad = GOOD.replace(was, is);
    expect(bad).not.toBe(GOOD);
    expect(await problemOf(bad)).toContain(message);
  });

  test('the numbers at the limits are read', async () => {
    const lines = [
      devDbgLine({ device: 'a', slot: 7164 }),
      devDbgLine({ device: 'b', slot: 0 }),
      devDbgLine({ device: 'c', slot: 0, nslots: 1, nslabs: 1, tlbAddr: 0, allocSize: 1 }),
      devDbgLine({ device: 'd', origAddr: 2 ** 52 - 1, alignMask: 0xffffffff }),
    ];
    const { events, info } = await read(lines.join('\n'));
    expect(info.problems).toEqual({ count: 0, first: [] });
    expect(events).toHaveLength(4);
  });
});

describe('a debug line that is no whole line', () => {
  test.each([
    ['alloc_size 0x20', 'iotlb_align_mask'],
    ['iotlb_align_mask 0x80', 'stride'],
    ['stride 0x2', 'got slot'],
    ['got slo', 'got slot'],
    ['got slot 1645', 'the slot range'],
    ['1645-1649/7168', 'the slot range'],
    ['(0x98326', 'the address'],
    ['(0x98326800', 'the address'],
  ])('cut at the end of the trace behind %j', async (last, where) => {
    const half = GOOD.slice(0, GOOD.indexOf(last) + last.length);
    expect(await problemOf(half, false)).toBe(`the line breaks off or differs at ${where}`);
    expect(await problemOf(half)).toBe(`the line breaks off or differs at ${where}`);
  });

  test('cut before it says anything is other text', async () => {
    const { info } = await read(`${GOOD}\n${GOOD.slice(0, GOOD.indexOf(' alloc_size'))}`);
    expect(info).toMatchObject({ otherLines: 1, problems: { count: 0 } });
  });

  test('nothing of the next line is read into it if that begins a record', async () => {
    const cut = GOOD.indexOf(' stride');
    expect(await problemOf(GOOD.slice(0, cut))).toContain('at stride');
    const rest = GOOD.slice(cut).replace(' stride', '[    1.250000] stride');
    const { events, info } = await read(`${GOOD.slice(0, cut)}\n${rest}\n${GOOD}\n`);
    expect(events.map((event) => event.line)).toEqual([3]);
    expect(info).toMatchObject({ otherLines: 1, joinedLines: 0, problems: { count: 1 } });
  });

  test.each(['', ': ', '  : '])('without a device: %j in front', async (prefix) => {
    const line = `${prefix}${GOOD.slice(GOOD.indexOf('orig_addr'))}`;
    expect(await problemOf(line)).toBe('there is no device name in front of orig_addr');
  });
});

test('all bad lines are counted and the first is shown if there are no others', async () => {
  const bad = GOOD.replace('/7168', '/0');
  const message = await userErrorOf(() => read(`first text\n${`${bad}\n`.repeat(12)}`));
  expect(message).toBe(
    'test.trace: no line can be replayed (12 of 13 lines look like dev-dbg).\n' +
      `  line 2: the pool does not have 1 to 16777216 slots: ${bad}`,
  );
});
