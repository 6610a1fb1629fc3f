import { describe, expect, test } from 'vitest';
import { swiotlbReplay } from '../support/cli.js';
import { vectorsOf } from '../support/vectors.js';

const SEED = 'traces/double-allocation/trace.log';

describe('identify', () => {
  test('names v6.3 to v6.8 and the first commit for the seed, and no other', () => {
    const { stdout, status } = swiotlbReplay(['identify', SEED, '--json']);
    const result = JSON.parse(stdout);
    expect(status).toBe(0);
    expect(result).toMatchObject({ schema: 'swiotlb-replay/identify@1', path: SEED, recorded: 3 });
    expect(result.matches).toEqual([
      'v6.3',
      'v6.4',
      'v6.5',
      'v6.6',
      'v6.7',
      'v6.8',
      'v6.8+04867a7a',
      'v6.6.0',
    ]);
    expect(result.others).toContainEqual({ kernel: 'v6.9', reproduced: 0, firstMismatch: 1 });
  });

  test('folds tags for a reader', () => {
    const { stdout } = swiotlbReplay(['identify', SEED]);
    expect(stdout).toContain('v6.3 to v6.8, v6.8+04867a7a, v6.6.0\n');
    expect(stdout).toMatch(/not v6\.9 +parts at line 1, 0 of 3 reproduced/);
  });

  const vectors = [...vectorsOf('swiotlb'), ...vectorsOf('swiotlb-edges')];

  test('names the release of every vector', () => {
    const { stdout } = swiotlbReplay(['identify', '--json', ...vectors.map(({ path }) => path)]);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const [n, { name, version }] of vectors.entries())
      expect(results[n].matches, name).toContain(version);
  });

  test('ends with 1 where no release fits, with 3 where nothing is recorded', () => {
    const trace = '#pool base=0x80000000 nslabs=64\ndev,op,orig_addr,size,tlb_addr\n';
    const rows = 'd,map,0x1000,512,0x80000000\nd,map,0x1000,512,0x80010000\n';
    expect(swiotlbReplay(['identify', '-'], { input: trace + rows }).status).toBe(1);
    expect(swiotlbReplay(['identify', '-'], { input: `${trace}d,map,0x1000,512,\n` }).status).toBe(
      3,
    );
  });
});

describe('explain', () => {
  test('shows the plan, its formula, the candidates and the slot that was chosen', () => {
    const { stdout, status } = swiotlbReplay(['explain', SEED, '--line', '1', '--kernel', 'v6.9']);
    expect(status).toBe(0);
    expect(stdout).toContain('gets slots 1648-1651 at 0x98328000');
    expect(stdout).toContain('clear = aam | 0x7ff');
    expect(stdout).toContain('slots 1645 to 1647, 3 candidates: address is not clear under 0x1fff');
    expect(stdout).toContain('slot 1648: chosen');
  });

  test('shows who is in the way and why a request failed, and ends with 1', () => {
    const args = ['explain', 'traces/fragmented/trace.csv', '--line', '103'];
    const { stdout, status } = swiotlbReplay(args);
    expect(status).toBe(1);
    expect(stdout).toContain('slots 0 to 62, 32 candidates: in use, since lines 7, 9, 11, 13, ...');
    expect(stdout).toContain('Cause  fragmented: it needs 2 slots in a row');
  });

  test('folds a search over thirty thousand slots', () => {
    const rows = Array.from({ length: 32768 }, () => 'd,map,0x1000,2048').join('\n');
    const input = `#pool base=0x80000000 nslabs=32768\ndev,op,orig_addr,size\n${rows}\nd,map,0x1000,4096\n`;
    const { stdout } = swiotlbReplay(['explain', '-', '--line', '32771'], { input });
    expect(stdout).toContain('0 slots left');
    expect(stdout.split('\n').length).toBeLessThan(20);
  });

  test('gives the same as JSON', () => {
    const { stdout } = swiotlbReplay([
      'explain',
      SEED,
      '--line',
      '1',
      '--kernel',
      'v6.9',
      '--json',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 'swiotlb-replay/explain@1',
      plan: { nslots: 4, stride: 4, clearMask: '0x1fff' },
      result: { slot: 1648, address: '0x98328000' },
      examined: 4,
    });
  });

  test('says so where the line is no request', () => {
    const { status, stderr } = swiotlbReplay(['explain', SEED, '--line', '9']);
    expect(status).toBe(2);
    expect(stderr).toContain('line 9 is no map or alloc');
  });
});

describe('set-up at boot', () => {
  test('makes the pool of a boot parameter, and says what it made', () => {
    const args = ['traces/fragmented/trace.csv', '--swiotlb', '300,3,force', '--json'];
    const report = JSON.parse(swiotlbReplay(args).stdout);
    expect(report.pools[0]).toMatchObject({ nslabs: 512, areas: 4 });
    const said = report.assumptions.map(({ message }: { message: string }) => message).join();
    expect(said).toContain('swiotlb=300,3,force makes 512 slots in 4 areas');
  });

  test.each([
    ['guest=16G,8', { nslabs: 524288, areas: 8 }],
    ['default', { nslabs: 32768, areas: 1 }],
    ['8192,8,halved=4', { nslabs: 512, areas: 4 }],
  ])('understands %s', (parameter, pool) => {
    const args = ['traces/fragmented/trace.csv', '--swiotlb', parameter, '--json'];
    expect(JSON.parse(swiotlbReplay(args).stdout).pools[0]).toMatchObject(pool);
  });

  test.each(['noforce', '12,force,what', 'guest=big', '65536,noforce'])(
    'refuses %s',
    (parameter) => {
      const { status, stderr } = swiotlbReplay([
        'traces/fragmented/trace.csv',
        '--swiotlb',
        parameter,
      ]);
      expect(status).toBe(2);
      expect(stderr).toContain('--swiotlb');
    },
  );
});
