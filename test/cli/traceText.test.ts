import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { type Reading, read } from '../support/reading.js';
import { bounced, file, line, lockedMap, stock } from '../support/traceText.js';
import { asText, bootLog, type Style } from '../support/traceTextStyles.js';

/** A pool of four areas: without its boot log, the stock events tell nothing of it. */
const VECTOR = 'test/vectors/swiotlb/v6.12_p4096_a4_002.csv.gz';

let folder: string;
let vector: Reading;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
  vector = await read(gunzipSync(readFileSync(join(PROJECT, VECTOR))));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The vector as ftrace prints it, its boot log, and the records without it. */
function texts(style: Style): { whole: string; log: string; records: string } {
  const whole = asText(vector, 'ftrace, 5 flags', style);
  const log = file(...bootLog(vector));
  return { whole, log, records: whole.slice(log.length) };
}

function verify(...args: string[]) {
  const { status, stdout, stderr } = swiotlbReplay(['verify', ...args, '--json']);
  return { status, stderr, result: stdout === '' ? undefined : JSON.parse(stdout) };
}

const REPRODUCED = {
  status: 0,
  result: { format: 'ftrace', kernel: 'v6.12', incomplete: false, mismatches: [] },
};

describe('a trace in text', () => {
  test('is verified with the boot log in front of it, in one file', () => {
    const { status, result } = verify(write('whole.txt', texts('locks').whole));
    expect({ status, result }).toMatchObject(REPRODUCED);
    expect(result.recorded).toBeGreaterThan(500);
    expect(result.reproduced).toBe(result.recorded);
  });

  test('is verified with the boot log beside it', () => {
    const { log, records } = texts('locks');
    const { status, result } = verify(
      write('records.txt', records),
      '--dmesg',
      write('dmesg.txt', log),
    );
    expect({ status, result }).toMatchObject(REPRODUCED);
    expect(result.reproduced).toBe(result.recorded);
  });

  test('is replayed with the kernel, pool and areas that the log beside it names', () => {
    const { log, records } = texts('stock events');
    const path = write('records.txt', records);
    const { stdout } = swiotlbReplay([path, '--dmesg', write('dmesg.txt', log), '--json']);
    const { base, nslabs } = vector.info.pools[0];
    expect(JSON.parse(stdout)).toMatchObject({
      kernel: 'v6.12',
      trace: { format: 'ftrace', events: vector.events.length },
      pools: [{ name: 'default', base: `0x${base.toString(16)}`, nslabs, areas: 4 }],
    });
  });

  test('is replayed with the pool that --pool tells', () => {
    const { base, nslabs } = vector.info.pools[0];
    const pool = `base=0x${base.toString(16)},nslabs=${nslabs},areas=4`;
    const path = write('records.txt', texts('stock events').records);
    const { stdout } = swiotlbReplay([path, '--pool', pool, '--kernel', 'v6.12', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      trace: { events: vector.events.length },
      pools: [{ base: `0x${base.toString(16)}`, nslabs, areas: 4 }],
    });
  });

  test('that lost records is incomplete, and ends with 3', () => {
    const header = '# entries-in-buffer/entries-written: 100/163   #P:4\n';
    const { status, result } = verify(write('lost.txt', header + texts('locks').whole));
    expect({ status, result }).toMatchObject({
      status: 3,
      result: { incomplete: true, mismatches: [] },
    });
  });

  test('that names a kernel of its own needs none', () => {
    const map = lockedMap('eth0', 0x1000, 512, 0x7c700000).map((body) => line(body));
    const { status, result } = verify(write('short.txt', file(...map)));
    expect(status).toBe(0);
    expect(result).toMatchObject({ recorded: 1, reproduced: 1 });
  });
});

describe('a trace that tells too little ends with 2 and a word on what to give', () => {
  test('stock events without the pool', () => {
    const { status, stderr } = swiotlbReplay([write('dma.txt', texts('stock events').records)]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/none of its \d+ dma mappings lies in a known pool/);
    expect(stderr).toContain('--dmesg');
    expect(stderr).toContain('--pool base=');
  });

  test('stock events with a log that does not say where the pool lies', () => {
    const log = write('areas.txt', '[    0.1] software IO TLB: area num 4.\n');
    const path = write('dma.txt', texts('stock events').records);
    expect(swiotlbReplay([path, '--dmesg', log]).stderr).toContain('lies in a known pool');
  });

  test('swiotlb_bounced alone', () => {
    const path = write('bounced.txt', file(line(bounced('eth0', 0x1000, 512))));
    const { status, stderr } = swiotlbReplay([path]);
    expect(status).toBe(2);
    expect(stderr).toContain('its 1 swiotlb_bounced records announce maps');
    expect(stderr).toContain('swiotlb-replay capture');
  });

  test('the IOMMU’s own events, where there is nothing to verify', () => {
    const map = stock('iommu', 'map', 'IOMMU: iova=0x1000 paddr=0x1000 size=4096');
    const path = write('iommu.txt', file(line(map)));
    expect(swiotlbReplay(['verify', path]).stderr).toContain('iommu records');
  });

  test('a boot log that is not there', () => {
    const { status, stderr } = swiotlbReplay([
      write('whole.txt', texts('locks').whole),
      '--dmesg',
      join(folder, 'nowhere'),
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain('nowhere: cannot be opened');
  });
});
