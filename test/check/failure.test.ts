import { describe, expect, it } from 'vitest';
import { addressesOf, causesOf, replay } from '../support/replaying.js';

const HEADER = 'dev,op,orig_addr,size,alloc_align_mask,tlb_addr,cpu';

/** A trace on a pool of `nslabs` slots at 0x80000000; rows are written without their device. */
function trace(pool: string, device: string, rows: string): string {
  const devices = device === '' ? '# no mask' : `#device name=dev0 ${device}`;
  const lines = rows.trim().split('\n');
  return [
    `#pool name=default base=0x80000000 ${pool}`,
    devices,
    HEADER,
    ...lines.map((row) => `dev0,${row.trim()}`),
  ].join('\n');
}

/** Fills `count` slots from slot 0 on with maps of one slot each, known by their address. */
function singles(count: number): string {
  const address = (slot: number) => `0x${(0x80000000 + slot * 2048).toString(16)}`;
  return Array.from({ length: count }, (_, slot) => `map,0x5000,2048,,${address(slot)},0`).join(
    '\n',
  );
}

/** Unmaps some of them again. */
function unmaps(...slots: number[]): string {
  return slots
    .map((slot) => `\nunmap,,2048,,0x${(0x80000000 + slot * 2048).toString(16)},0`)
    .join('');
}

/** The cause and the message of the one refusal of a trace, which is its last row. */
async function refusal(release: string, text: string) {
  const replayed = await replay(release, text);
  const full = replayed.findings.filter(({ rule }) => rule === 'pool-full');
  expect(full.map(({ line, level }) => `${level}@${line}`)).toEqual([
    `error@${text.split('\n').length}`,
  ]);
  const [cause] = causesOf(replayed);
  return { cause: cause.replace(/@.*/, ''), message: full[0].message };
}

/** Whether every request of a trace was served. */
async function isServed(release: string, text: string): Promise<boolean> {
  const replayed = await replay(release, text);
  const refused = replayed.findings.some(({ rule }) => rule === 'pool-full');
  expect(refused).toBe(addressesOf(replayed).includes(null));
  return !refused;
}

describe('pool-full', () => {
  it('is exhausted where fewer slots are free than are needed', async () => {
    const text = trace('nslabs=4 index=0', '', `${singles(3)}\nmap,0x6000,4000,,,0`);
    const { cause, message } = await refusal('v6.9', text);
    expect(cause).toBe('exhausted');
    expect(message).toMatch(/^map of 4000 bytes .*exhausted.* 2 slots.* 1 of 4 /);
    expect(await isServed('v6.9', text.replace('4000', '2048'))).toBe(true);
  });

  it('is fragmented where enough are free, but not in a row', async () => {
    const rows = (...free: number[]) => `${singles(4)}${unmaps(...free)}\nmap,0x6000,4000,,,0`;
    const { cause, message } = await refusal('v6.9', trace('nslabs=4 index=0', '', rows(0, 2)));
    expect(cause).toBe('fragmented');
    expect(message).toMatch(/2 slots in a row.* 2 are free.* 1$/);
    expect(await isServed('v6.9', trace('nslabs=4 index=0', '', rows(1, 2)))).toBe(true);
  });

  it('is fragmented where the end of a segment cuts the run', async () => {
    // Slots 126 to 129 are free: two runs of two, since no allocation crosses slot 128.
    const rows = `
      map,0x100000,258048,,0xa0000000,0
      map,0x200000,4096,,0xb0000000,0
      map,0x100000,258048,,,0
      unmap,,,,0xb0000000,0`;
    const pool = 'nslabs=256 index=2';
    const served = trace(pool, '', `${rows}\nmap,0x300000,4096,,,0`);
    expect(await isServed('v6.9', served)).toBe(true);
    const text = trace(pool, '', `${rows}\nmap,0x300000,6000,,,0`);
    expect((await refusal('v6.9', text)).cause).toBe('fragmented');
  });

  it('is alignment where the free run has no slot with the address bits', async () => {
    const rows = (...free: number[]) => `${singles(4)}${unmaps(...free)}\nmap,0x6000,4096,,,0`;
    const { cause, message } = await refusal('v6.9', trace('nslabs=4 index=0', '', rows(1, 2)));
    expect(cause).toBe('alignment');
    expect(message).toContain('bits 0x800 clear');
    expect(await isServed('v6.9', trace('nslabs=4 index=0', '', rows(2, 3)))).toBe(true);
  });

  it('is alignment where the slots found are no page and swiotlb_alloc() gives them back', async () => {
    // The search sees `start & 0xfff`, which hides that the pool does not begin on a 64 KiB page.
    const text = (base: string) => `
      #kernel page_size=65536
      #pool name=default base=${base} nslabs=64 index=0
      #device name=dev0 seg_boundary_mask=0xfff
      dev,op,orig_addr,size
      dev0,alloc,,4096`;
    const replayed = await replay('v6.9', text('0x80001000'));
    expect(causesOf(replayed)).toEqual(['alignment@5']);
    expect(replayed.findings[0].message).toContain('swiotlb_alloc() gave them back');
    expect(replayed.report.pools[0]).toMatchObject({ used: 0, usedHiwater: 2, index: [2] });
    expect(await isServed('v6.9', text('0x80000000'))).toBe(true);
  });

  it('is alignment where the only aligned slot is another area’s, which has no room left', async () => {
    // Areas of 4 slots. Slots 6 to 9 count for area 1, so it is full although its slots 4 and 5 are
    // free; the free run of slots 3 to 5 begins in area 0.
    const rows = `
      map,0x5000,8000,,,1
      map,0x5000,2048,,,0
      map,0x5000,2048,,0x80000800,0
      map,0x5000,2048,,,0
      unmap,,2048,,0x80000800,0
      map,0x5000,8000,,,2
      map,0x5000,4096,,,3
      map,0x6000,4096,,,0`;
    const { cause, message } = await refusal(
      'v6.9',
      trace('nslabs=16 areas=4 index=0:2:0:0', '', rows),
    );
    expect(cause).toBe('alignment');
    expect(message).not.toContain('slot 4');
  });

  it('is boundary where every aligned run crosses the device’s boundary', async () => {
    const rows = (...free: number[]) => `${singles(8)}${unmaps(...free)}\nmap,0x6000,4000,,,0`;
    const device = 'seg_boundary_mask=0x1fff';
    const { cause, message } = await refusal('v6.9', trace('nslabs=8 index=0', device, rows(3, 4)));
    expect(cause).toBe('boundary');
    expect(message).toMatch(/2 slots from slot 3 .*boundary/);
    expect(await isServed('v6.9', trace('nslabs=8 index=0', device, rows(4, 5)))).toBe(true);
    expect(await isServed('v6.9', trace('nslabs=8 index=0', '', rows(3, 4)))).toBe(true);
  });

  it('is area-skew where enough are free, but in no single area', async () => {
    const rows = `${singles(3)}\n${singles(3).replaceAll(/,0$/gm, ',1')}\nmap,0x6000,4000,,,0`;
    const { cause, message } = await refusal('v6.9', trace('nslabs=8 areas=2 index=0:0', '', rows));
    expect(cause).toBe('area-skew');
    expect(message).toMatch(/ 2 are free.* 1 in any of the 2 areas/);
    expect(await isServed('v6.9', trace('nslabs=8 index=0', '', rows))).toBe(true);
    const lopsided = rows.replaceAll(/,1$/gm, ',0');
    expect(await isServed('v6.9', trace('nslabs=8 areas=2 index=0:0', '', lopsided))).toBe(true);
  });

  it('is too-large above 256 KiB', async () => {
    const text = (size: number) => trace('nslabs=256 index=0', '', `map,0x100000,${size},,,0`);
    for (const release of ['v6.8', 'v6.9', 'v6.12']) {
      const { cause, message } = await refusal(release, text(262145));
      expect(cause).toBe('too-large');
      expect(message).toMatch(/262145 bytes .*262144/);
      expect(await isServed(release, text(262144))).toBe(true);
    }
  });

  it('is too-large where only the offset in front of the data lifts it above 256 KiB', async () => {
    const text = (orig: string) =>
      trace('nslabs=256 index=0', 'min_align_mask=0x7ff', `map,${orig},262144,,,0`);
    const { cause, message } = await refusal('v6.9', text('0x100010'));
    expect(cause).toBe('too-large');
    expect(message).toMatch(/262160 bytes .*\b16 of them.* 262144/);
    expect(await isServed('v6.9', text('0x100000'))).toBe(true);
  });

  it('is too-large above the max mapping size that the device’s min_align_mask leaves', async () => {
    const text = (orig: string, size: number) =>
      trace('nslabs=256 index=0', 'min_align_mask=0xffff', `map,${orig},${size},,,0`);
    const { cause, message } = await refusal('v6.9', text('0x10f000', 262144));
    expect(cause).toBe('too-large');
    expect(message).toMatch(/swiotlb_max_mapping_size.* 196608/);
    expect(await isServed('v6.9', text('0x10f000', 196608))).toBe(true);
    expect(await isServed('v6.9', text('0x100000', 262144))).toBe(true);
  });

  it('is unsatisfiable where alloc_align_mask and min_align_mask contradict each other', async () => {
    const text = trace('nslabs=256 index=0', 'min_align_mask=0xffff', 'map,0x1234,16384,0x3fff,,0');
    const { cause, message } = await refusal('v6.8+will-v1', text);
    expect(cause).toBe('unsatisfiable');
    expect(message).toContain(' 0x1000 ');
    expect(await isServed('v6.9', text)).toBe(true);
    expect(await isServed('v6.8+will-v1', text.replace('0x1234', '0x30234'))).toBe(true);
  });

  it('is unsatisfiable where v6.8 wants a whole segment from an odd slot on', async () => {
    const text = (orig: string) => trace('nslabs=256 index=0', '', `map,${orig},262144,,,0`);
    const { cause, message } = await refusal('v6.8', text('0x100800'));
    expect(cause).toBe('unsatisfiable');
    expect(message).toContain('128 slots of one segment');
    expect(message).toContain('bits 0x800 equal to 0x800');
    expect(await isServed('v6.9', text('0x100800'))).toBe(true);
    expect(await isServed('v6.8', text('0x100000'))).toBe(true);
  });

  it('is unsatisfiable where the boundary leaves no room for the size, and says so', async () => {
    const text = (size: number) =>
      trace('nslabs=256 index=0', 'seg_boundary_mask=0xfff', `map,0x100000,${size},,,0`);
    const { cause, message } = await refusal('v6.9', text(6000));
    expect(cause).toBe('unsatisfiable');
    expect(message).toContain('segment boundary');
    expect(message).not.toContain(', :');
    expect(await isServed('v6.9', text(4096))).toBe(true);
  });

  it('is unsatisfiable where mapping_size is above alloc_size, until v6.10 forgets alloc_size', async () => {
    const text = `
      #pool name=default base=0x80000000 nslabs=16 index=0
      dev,op,orig_addr,size,alloc_size
      dev0,map,0x1000,4096,2048`;
    const replayed = await replay('v6.9', text);
    expect(causesOf(replayed)).toEqual(['unsatisfiable@3']);
    expect(replayed.findings[0].message).toMatch(/mapping_size 4096 .*alloc_size 2048/);
    expect(await isServed('v6.12', text)).toBe(true);
    expect(await isServed('v6.9', text.replace('4096,2048', '4096,4096'))).toBe(true);
  });
});

describe('a slot that fits and is stepped over (spec Q4)', () => {
  // Slots 30, 62 and 126 are taken, 94 is free, the next search starts at 106.
  const text = (indexAt: number) =>
    [
      '#pool name=default base=0x80000000 nslabs=128 index=0',
      '#device name=nvme min_align_mask=0xffff',
      'dev,op,orig_addr,size,tlb_addr',
      'nvme,map,0x1000f000,2048,0x8000f000',
      'nvme,map,0x1000f000,2048,0x8001f000',
      'nvme,map,0x1000f000,2048,0x8002f000',
      'nvme,map,0x1000f000,2048,0x8003f000',
      'nvme,unmap,,2048,0x8002f000',
      'net,map,0x1000,2048,0x8003f800',
      'net,unmap,,2048,0x8003f800',
      `net,map,0x1000,${(indexAt - 64) * 2048},0x80020000`,
      'net,unmap,,,0x80020000',
      'nvme,map,0x1000f000,2048,',
    ].join('\n');

  it.each(['v6.8', 'v6.8+will-v1', 'v6.9', 'v6.12'])(
    'is alignment, and named, in %s',
    async (release) => {
      const { cause, message } = await refusal(release, text(106));
      expect(cause).toBe('alignment');
      expect(message).toMatch(/slot 94 .*stride 32/);
    },
  );

  it('is found where the search starts right behind a slot of its pattern', async () => {
    expect(await isServed('v6.9', text(94))).toBe(true);
  });
});
