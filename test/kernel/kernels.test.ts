import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { IOMMU_RELEASES } from '../../src/kernel/iommuReleases.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { STABLE_RANGES } from '../../src/kernel/stable.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const COMMIT = /^[0-9a-f]{12}$/;
const SEED = 'traces/double-allocation/trace.log';

describe('kernels', () => {
  let text: string;
  let json: {
    schema: string;
    kernels: Record<string, unknown>[];
    stable: Record<string, unknown>[];
    iommu: Record<string, unknown>[];
  };
  beforeAll(() => {
    text = swiotlbReplay(['kernels']).stdout;
    json = JSON.parse(swiotlbReplay(['kernels', '--json']).stdout);
  });

  test('lists every row with its commits: mainline, stable, patched', () => {
    const lines = text.split('\n');
    const at = RELEASES.map(({ name }) => lines.findIndex((line) => line.startsWith(`  ${name} `)));
    expect(at.filter((line) => line < 0)).toEqual([]);
    const first = (kind: string): number =>
      Math.min(...at.filter((_, n) => RELEASES[n].kind === kind));
    expect(first('mainline')).toBeLessThan(first('stable'));
    expect(first('stable')).toBeLessThan(first('patched'));
    for (const { commits } of RELEASES) for (const { id } of commits) expect(text).toContain(id);
  });

  test('keeps to the width of a page', () => {
    expect(text.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test('gives tags and policies as JSON', () => {
    expect(json.schema).toBe('swiotlb-replay/kernels@1');
    expect(json.kernels.map(({ name }) => name)).toEqual(RELEASES.map(({ name }) => name));
    const named = (name: string) => json.kernels.find((kernel) => kernel.name === name);
    expect(named('v5.10')).toMatchObject({
      kind: 'mainline',
      first: 'v5.10',
      last: 'v5.11',
      takesAllocSize: true,
      hasAreas: false,
      dynamic: null,
      maxMappingSize: { '0x0': 262144, '0xfff': 262144 },
    });
    expect(named('v6.10')).toMatchObject({
      first: 'v6.10',
      last: 'v7.2',
      takesAllocSize: false,
      hasAreas: true,
      dynamic: 'area-by-area',
      maxMappingSize: { '0x0': 262144, '0x1ff': 260096, '0xfff': 258048, '0xffff': 196608 },
    });
    expect(named('v6.6.63')).toMatchObject({ kind: 'stable', first: 'v6.6.35', last: null });
    expect(named('v6.6.0')).toMatchObject({ kind: 'stable', first: 'v6.6.0', last: 'v6.6.2' });
    expect(named('v6.8+will-v1')).toMatchObject({ kind: 'patched', first: null, last: null });
  });

  test('lists the IOMMU generations behind them, with the tags that they stand for', () => {
    const section = text.slice(text.indexOf('Behind an IOMMU'));
    for (const { name, commits } of IOMMU_RELEASES) {
      expect(section).toMatch(
        new RegExp(`^  ${name.replaceAll('.', '\\.').replace('+', '\\+')} `, 'm'),
      );
      for (const { id } of commits) expect(section).toContain(id);
    }
    expect(section).toMatch(/^ {2}v6\.10 \.\. v6\.15 /m);
    expect(section).toMatch(/^ {2}v7\.1 \.\. v7\.2 /m);
  });

  test('gives the policies of the IOMMU generations as JSON', () => {
    expect(json.iommu.map(({ name }) => name)).toEqual(IOMMU_RELEASES.map(({ name }) => name));
    const named = (name: string) => json.iommu.find((row) => row.name === name);
    expect(named('v5.13')).toMatchObject({
      first: 'v5.13',
      last: 'v5.14',
      iova: { magazineEntries: 128, depotCapacity: 32, dac: 'below-4g-first' },
      dmaIommu: { mapsRoundedSize: true, unmapCopies: 'sync-and-release', padding: 'zeroFromData' },
    });
    expect(named('v7.1')).toMatchObject({
      last: 'v7.2',
      iova: { depotCapacity: null, trimsDepot: true },
      dmaIommu: { mapsRoundedSize: false, padding: 'zeroAroundData', link: 'mended' },
    });
    expect(named('v6.1.170')).toMatchObject({ kind: 'stable', first: 'v6.1.170', last: null });
    expect(named('v5.14+s1-2')).toMatchObject({ kind: 'patched', first: null, last: null });
  });

  test('gives the stable ranges as JSON', () => {
    expect(json.stable).toHaveLength(STABLE_RANGES.length);
    expect(json.stable).toContainEqual({
      first: '6.6.3',
      last: '6.6.23',
      checked: null,
      row: 'v6.6',
      with: [],
    });
    expect(json.stable).toContainEqual({
      first: '5.10.143',
      last: '5.10.146',
      checked: null,
      row: 'v5.12',
      with: [{ id: '3f0461613ebc', subject: 'swiotlb: avoid potential left shift overflow' }],
    });
  });
});

describe('a kernel by name', () => {
  test('is told with its reason', () => {
    const { stdout } = swiotlbReplay([SEED, '--kernel', '6.6.23', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      kernel: 'v6.6.23',
      kernelReason: 'as the row v6.6, from 6.6.3 to 6.6.23',
    });
    expect(swiotlbReplay(['verify', SEED, '--kernel', '6.6.23']).stdout).toContain(
      'v6.6.23 (as the row v6.6, from 6.6.3 to 6.6.23)',
    );
  });

  test('that a trace gives is told with both reasons', () => {
    const input =
      '#kernel version=6.12.94+deb13-amd64\n#pool base=0x80000000 nslabs=64\ndev,op,orig_addr,size\nd,map,0x1000,512\n';
    const report = JSON.parse(swiotlbReplay(['-', '--json'], { input }).stdout);
    expect(report.kernel).toBe('v6.12.94');
    expect(report.kernelReason).toBe(
      'the one that the trace names, as the row v6.10, like every 6.12.y; what its builder changed (+deb13-amd64) is not known',
    );
  });

  test('that hides its version is a guess, with what makes it exact', () => {
    const { status, stdout } = swiotlbReplay([SEED, '--kernel', '6.1.0-56-amd64', '--json']);
    expect(status).toBe(0);
    const { kernelReason } = JSON.parse(stdout);
    expect(kernelReason).toContain('a guess');
    expect(kernelReason).toContain('--kernel "$(uname -rv)"');
  });

  test('that cannot be placed is refused with what is near', () => {
    const { status, stderr } = swiotlbReplay([SEED, '--kernel', '5.14.0-427.el9.x86_64']);
    expect(status).toBe(2);
    expect(stderr).toContain('takes changes of later releases');
    expect(stderr).toContain('are v5.13 and v5.15');
  });

  test('compares two stable versions', () => {
    const args = ['diff', SEED, '--old', '6.6.23', '--new', '6.6.24'];
    expect(swiotlbReplay(args).stdout).toContain('3 of 3 addresses differ');
  });
});

describe('docs/kernels.md', () => {
  const page = readFileSync(join(PROJECT, 'docs/kernels.md'), 'utf8');

  test.each([...RELEASES, ...IOMMU_RELEASES].map(({ name }) => name))('has the row %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  test('has every commit of the table', () => {
    const ids = [...RELEASES, ...IOMMU_RELEASES]
      .flatMap(({ commits }) => commits.map(({ id }) => id))
      .filter((id) => COMMIT.test(id));
    for (const id of ids) expect(page).toContain(id);
  });

  test('has every boundary of the stable series', () => {
    for (const { series, first } of STABLE_RANGES) expect(page).toContain(`${series}.${first}`);
  });

  test('links only to headings that it has', () => {
    const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, anchor] of page.matchAll(/\]\(#([^)]*)\)/g)) expect(headings).toContain(anchor);
  });
});
