import { describe, expect, test } from 'vitest';
import { replay } from '../support/replaying.js';

describe('beyond-pool', () => {
  const tail = `
    #pool name=own base=0x90000000 nslabs=130 areas=1 index=128 restricted=1
    #device name=net min_align_mask=0x0
    dev,op,orig_addr,size
    net,map,0x5000,8192`;

  test('is found before 53c87e846e33, where the last segment claims slots that do not exist', async () => {
    const { found, findings } = await replay('v6.3', tail);
    expect(found).toEqual(['beyond-pool@4', 'leak@4']);
    expect(findings[0].message).toContain('slots 128-131 of a pool that ends with slot 129');
  });

  test('cannot be since', async () => {
    const { found, session } = await replay('v6.8', tail);
    expect(found).toEqual(['leak@4']);
    expect(session.allocators[0].pool.areaIndex[0]).toBe(4);
  });
});

test('area-overrun is found where areas are shorter than a segment', async () => {
  const { found, findings } = await replay(
    'v6.2',
    `
    #pool name=default base=0x80000000 nslabs=128 areas=2 index=60:0
    #device name=net min_align_mask=0x0
    dev,op,orig_addr,size
    net,map,0x5000,20480
    net,map,0x5000,2048`,
  );
  expect(found).toEqual(['area-overrun@4', 'leak@4']);
  expect(findings[0].message).toContain('slots 60-69, but area 0 ends with slot 63');
});

describe('wrong-free', () => {
  const neighbours = (index: number): string => `
    #pool name=own base=0x90000000 nslabs=16 areas=1 index=${index} restricted=1
    #device name=net min_align_mask=0x0
    dev,op,orig_addr,size,tlb_addr
    net,map,0x5000,2048,
    net,alloc,,4096,
    net,free,,4096,0x90000800`;

  test('is found where v6.8 frees a coherent buffer by a page that begins in a neighbour', async () => {
    const { found, findings, session } = await replay('v6.8', neighbours(0));
    expect(found).toContain('wrong-free@6');
    const finding = findings.find(({ rule }) => rule === 'wrong-free');
    expect(finding).toMatchObject({ line: 6, address: 0x90000800, related: [{ line: 5 }] });
    expect(finding?.message).toContain('gives back slot 0, not');
    expect([...session.allocators[0].pool.list.subarray(0, 3)]).toEqual([1, 0, 0]);
  });

  test('is found where nothing is freed, so that the buffer leaks', async () => {
    const { findings } = await replay('v6.8', neighbours(0).replace('net,map,0x5000,2048,\n', ''));
    expect(findings.filter(({ rule }) => rule === 'wrong-free')).toEqual([]);
    const odd = neighbours(1).replace('net,map,0x5000,2048,\n', '');
    const nothing = (await replay('v6.8', odd)).findings.find(({ rule }) => rule === 'wrong-free');
    expect(nothing?.message).toContain('gives back nothing');
  });

  test('is not found from v6.9 on', async () => {
    const { found } = await replay('v6.9', neighbours(0).replace('0x90000800', '0x90001000'));
    expect(found.filter((rule) => rule.startsWith('wrong-free'))).toEqual([]);
  });
});

describe('endless-search', () => {
  const odd = Array.from({ length: 64 }, () => 'nvme,map,0x100800,2048').join('\n');
  const trace = `
    #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
    #device name=nvme min_align_mask=0xfff
    #device name=net min_align_mask=0x0
    dev,op,orig_addr,size
    ${odd}
    net,map,0x5000,2048
    nvme,map,0x100800,2048
    net,map,0x6000,2048`;

  test.each(['v5.12', 'v5.16', 'v6.1'])(
    'is found in %s, and the replay goes on',
    async (release) => {
      const { found, session } = await replay(release, trace);
      expect(found).toContain('endless-search@70');
      expect(session.totals).toMatchObject({ maps: 67, failed: 1 });
      expect(session.allocators[0].used).toBe(66);
    },
  );

  test('is a plain failure from v6.3 on', async () => {
    const { found } = await replay('v6.3', trace);
    expect(found).toContain('pool-full@70');
    expect(found.filter((rule) => rule.startsWith('endless'))).toEqual([]);
  });
});
