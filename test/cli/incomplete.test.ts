import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { HAS_XZ, xzSync, zstdBomb, zstdFrame } from '../support/packing.js';

/** Two maps and their releases, and what is recorded of the second map. */
function trace(second = '0x80000800'): string {
  return [
    '#kernel version=v6.9',
    '#pool base=0x80000000 nslabs=64 index=0',
    'dev,op,orig_addr,size,tlb_addr',
    'd,map,0x1000,512,0x80000000',
    `d,map,0x2000,512,${second}`,
    'd,unmap,,512,0x80000000',
    `d,unmap,,512,${second}`,
    '',
  ].join('\n');
}

/** What says that a trace is not whole, and leaves its events as they are: half a frame behind the whole. */
const HALF = zstdFrame('#').subarray(0, -1);

const incomplete = (text: string): Buffer => Buffer.concat([zstdFrame(text), HALF]);

const LOSS = 'the zstd data breaks off: 7 lines were read, and some may be missing or wrong';

let folder: string;
let turn = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, `trace${turn++}`);
  writeFileSync(path, content);
  return path;
}

describe('verify', () => {
  test.each([
    ['reproduces everything', trace()],
    ['parts from the model', trace('0x80001000')],
    ['parts from an #expect line', `${trace()}#expect used=9\n`],
  ])('a trace that is incomplete and %s is unproved', (_, text) => {
    const path = file(incomplete(text));
    const { status, stdout } = swiotlbReplay(['verify', path]);
    expect(status).toBe(3);
    expect(stdout).toMatch(/^UNPROVED {2}/);
    expect(stdout).toContain('the trace is incomplete, so no verdict on it is safe');
    const json = swiotlbReplay(['verify', path, '--json']);
    expect(json.status).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({
      incomplete: true,
      losses: [{ events: null, message: expect.stringContaining('the zstd data breaks off') }],
    });
  });

  test.each([
    ['ok', 0, trace()],
    ['DIFFERS', 1, trace('0x80001000')],
  ])('a whole trace is %s', (word, status, text) => {
    const path = file(zstdFrame(text));
    expect(swiotlbReplay(['verify', path])).toMatchObject({
      status,
      stdout: expect.stringContaining(word),
    });
    expect(JSON.parse(swiotlbReplay(['verify', path, '--json']).stdout)).toMatchObject({
      incomplete: false,
    });
  });
});

describe('replay', () => {
  const wrong = `${trace()}d,unmap,,512,0x80001000\n`;

  test.each([
    [0, 'whole', zstdFrame(trace())],
    [3, 'incomplete', incomplete(trace())],
    [1, 'wrong', zstdFrame(wrong)],
    [1, 'incomplete and wrong', incomplete(wrong)],
  ])('ends with %d for a trace that is %s', (status, what, content) => {
    const path = file(content);
    const text = swiotlbReplay([path]);
    const json = swiotlbReplay([path, '--json']);
    expect([text.status, json.status]).toEqual([status, status]);
    const isIncomplete = what.includes('incomplete');
    expect(text.stdout.split('\n')[1].startsWith('the trace is incomplete')).toBe(isIncomplete);
    expect(JSON.parse(json.stdout).losses).toHaveLength(isIncomplete ? 1 : 0);
  });

  test('tells what was lost, by the schema', () => {
    const path = file(incomplete(trace()));
    expect(swiotlbReplay([path]).stdout).toContain(LOSS.slice(0, 60));
    const report = JSON.parse(swiotlbReplay([path, '--json']).stdout);
    expect(report.losses).toEqual([{ line: 7, events: null, message: LOSS }]);
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/report-1.json'), 'utf8'));
    const validate = new Ajv({ allErrors: true }).compile(schema);
    validate(report);
    expect(validate.errors).toBeNull();
  });

  test('--fail-on never does not make an incomplete trace a whole one', () => {
    expect(swiotlbReplay([file(incomplete(wrong)), '--fail-on', 'never']).status).toBe(3);
    expect(swiotlbReplay([file(zstdFrame(wrong)), '--fail-on', 'never']).status).toBe(0);
  });
});

describe('the other commands say on stderr that a trace is incomplete', () => {
  test.each([
    ['identify', 3, ['identify']],
    ['diff without differences', 3, ['diff', '--old', 'v6.9', '--new', 'v6.10']],
    ['explain', 3, ['explain', '--line', '4']],
  ])('%s', (_, status, args) => {
    const result = swiotlbReplay([...args, file(incomplete(trace()))]);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain('the trace is incomplete');
    expect(result.stderr.replace(/\s+/g, ' ')).toContain(LOSS);
    const whole = swiotlbReplay([...args, file(trace())]);
    expect(whole).toMatchObject({ status: 0, stderr: '' });
  });

  test('identify names no culprit where a call may be missing', () => {
    expect(swiotlbReplay(['identify', file(incomplete(trace('0x80003000')))]).status).toBe(3);
    expect(swiotlbReplay(['identify', file(trace('0x80003000'))]).status).toBe(1);
  });
});

describe('packed traces', () => {
  const packed: [string, Buffer][] = [
    ['gzip', gzipSync(trace())],
    ['zstd', zstdFrame(trace())],
  ];
  if (HAS_XZ) packed.push(['xz', xzSync(trace())]);

  test.each(packed)('%s is read from a file and from standard input', (_, content) => {
    expect(swiotlbReplay(['verify', file(content)]).status).toBe(0);
    expect(swiotlbReplay(['verify', '-'], { input: content }).status).toBe(0);
  });

  test('xz without an xz program says what to do', () => {
    const path = file(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]));
    const { status, stderr } = swiotlbReplay([path], { env: { PATH: folder } });
    expect(status).toBe(2);
    expect(stderr).toContain(
      'is xz data, and there is no xz program: install it (xz-utils), or unpack where there is one',
    );
  });

  test.skipIf(!HAS_XZ)('xz that is no such thing behind its magic says what xz says', () => {
    const path = file(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 3, 4, 5, 6, 7, 8]));
    const { status, stderr } = swiotlbReplay([path]);
    expect(status).toBe(2);
    expect(stderr).toContain('cannot be unpacked: the xz data is damaged (xz: ');
  });
});

describe('what unpacks to far more than it is takes no memory', () => {
  const part = Buffer.alloc(1 << 26, 'x');
  const times = (packed: Buffer, count: number): Buffer[] => Array(count).fill(packed);
  const bombs: [string, () => Buffer][] = [
    ['1 GiB in gzip', () => Buffer.concat([gzipSync(trace()), ...times(gzipSync(part), 16)])],
    ['10 GiB in zstd', () => Buffer.concat([zstdFrame(trace()), zstdBomb(0x78, 80 << 10)])],
  ];
  if (HAS_XZ) {
    bombs.push(['1 GiB in xz', () => Buffer.concat([xzSync(trace()), ...times(xzSync(part), 16)])]);
  }

  test.each(bombs)('%s', (_, bomb) => {
    const tellRss = join(folder, 'tellRss.mjs');
    writeFileSync(
      tellRss,
      "process.on('exit', () => console.error('RSS', process.resourceUsage().maxRSS));\n",
    );
    const { status, stdout, stderr } = swiotlbReplay(['verify', file(bomb())], {
      env: { NODE_OPTIONS: `--import=${tellRss}` },
    });
    expect(stdout).toContain('2 of 2 recorded results reproduced');
    expect(stdout).toContain('1 of the lines had more than a megabyte and were cut');
    expect(stdout).not.toContain(' data ');
    expect(status).toBe(3);
    expect(Number(/RSS (\d+)/.exec(stderr)?.[1])).toBeLessThan(400 << 10);
  });
});

describe('hostile bytes do no harm', () => {
  test('a line of 100 MB costs only itself, and the verdict', () => {
    const [head, ...rows] = trace().split('\nd,');
    const text = `${head}\nd,map,${'9'.repeat(100e6)}\nd,${rows.join('\nd,')}`;
    const { status, stdout } = swiotlbReplay(['verify', file(text), '--json']);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ recorded: 2, reproduced: 2, incomplete: true });
  });

  test('invalid UTF-8 in a name is a name like others, and does not get out', () => {
    const text = Buffer.from(trace().replaceAll('\nd,', '\n\xff\xfe\xc3,'), 'latin1');
    expect(swiotlbReplay(['verify', file(text)]).status).toBe(0);
    const { status, stdout } = swiotlbReplay([file(text), '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).devices[0].name).toBe('\ufffd\ufffd\ufffd');
  });

  test('JSON lines that break off in the middle of one', () => {
    const line = '{"op":"map","dev":"d","orig_addr":4096,"size":512,"tlb_addr":"0x80000000"}\n';
    const pool = '{"pool":{"base":"0x80000000","nslabs":64}}\n';
    const { status, stdout } = swiotlbReplay(['-', '--json'], {
      input: pool + line + line.slice(0, 40),
    });
    const report = JSON.parse(stdout);
    expect(status).toBe(0);
    expect(report.trace).toMatchObject({ format: 'jsonl', events: 1, skipped: 1 });
    expect(report.allocations[0].tlbAddr).toBe('0x80000000');
  });
});
