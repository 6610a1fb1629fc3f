import { expect, test } from 'vitest';
import { SHAPES } from '../../src/generate/shapes.js';
import { createWorkload } from '../../src/generate/workload.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { csvWriter } from '../../src/writers/csv.js';
import { replay } from '../support/replaying.js';

const PAGE_SIZE = 4096;

// So small a pool that requests fail, and searches that never end show.
const POOL = { name: 'default', base: 0x9700_0000, nslabs: 256, areas: 2 };

test.each(RELEASES.map((release) => [release.name, release] as const))(
  'the results are those of %s',
  async (name, release) => {
    const pool = { ...POOL, areas: release.hasAreas ? 2 : 1 };
    const workload = createWorkload({
      release,
      pageSize: PAGE_SIZE,
      pool,
      kinds: SHAPES.mixed,
      devices: 1,
      cpus: 2,
      seed: 3,
      mischief: [],
      events: 1500,
      duration: Number.POSITIVE_INFINITY,
    });
    const { devices } = workload;
    const writer = csvWriter((device) => devices[device].name);
    let text = writer.head({
      kernel: name,
      pageSize: PAGE_SIZE,
      dynamic: false,
      pools: [
        {
          ...pool,
          startIndexes: Array(pool.areas).fill(0),
          indexKnowledge: 'given',
          restricted: false,
        },
      ],
      devices: devices.map(({ minAlignMask, ...device }) => ({ ...device, minAlignMask })),
      comments: [],
      lost: [],
    });
    for (let batch = workload.next(); batch.length > 0; batch = workload.next()) {
      text += writer.events(batch, 0, batch.length);
    }
    const { report } = await replay(name, text);
    expect(report.summary).toMatchObject({ mismatches: 0, live: 0 });
    expect(report.summary.recorded).toBe(report.summary.maps);
    expect(report.summary.maps).toBeGreaterThan(400);
    expect(workload.allocator.used).toBe(0);
  },
);
