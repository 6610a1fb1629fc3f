import { describe, expect, test } from 'vitest';
import {
  emptyRecord,
  scanRecord,
  shapeOf,
  type TraceRecord,
} from '../../../src/formats/traceText/record.js';
import { line, probe, recordLine, SHAPES } from '../../support/traceText.js';

interface Scanned extends Pick<TraceRecord, 'pid' | 'cpu' | 'time'> {
  level: string;
  name: string;
  body: string;
  shape: string;
}

function scan(text: string): Scanned | undefined {
  // What stands around the line must not matter.
  const bytes = Buffer.from(`7 [007] ${text}\n8: x: y`, 'latin1');
  const record = emptyRecord();
  if (!scanRecord(bytes, 8, 8 + text.length, record)) return undefined;
  const { pid, cpu, time, level, nameFrom, nameTo, bodyFrom, bodyTo } = record;
  return {
    pid,
    cpu,
    time,
    level: level === 0 ? '' : String.fromCharCode(level),
    name: bytes.toString('latin1', nameFrom, nameTo),
    body: bytes.toString('latin1', bodyFrom, bodyTo),
    shape: shapeOf(record),
  };
}

const FTRACE_REST = ' [002] d.h2.   123.456789: unmap: (f+0x5/0x9) dev="eth0" size=1';

describe('a record', () => {
  test.each(SHAPES)('as %s prints it is taken apart', (shape) => {
    const body = probe('map_ret', '', { ret: 0x7c700000 });
    const place = { task: 'wl', pid: 1234, cpu: 12, seconds: 61.000123, level: 's' };
    const hasFlags = shape.startsWith('ftrace') || shape.endsWith('with flags');
    expect(scan(recordLine(shape, body, place))).toEqual({
      pid: 1234,
      cpu: 12,
      time: 61.000123,
      level: hasFlags ? 's' : '',
      name: 'map_ret',
      body: shape.startsWith('ftrace')
        ? body.symbols
        : shape === 'trace-cmd -R'
          ? body.raw
          : body.addresses,
      shape: shape.startsWith('perf')
        ? 'perf-script'
        : shape.startsWith('trace-cmd')
          ? 'trace-cmd'
          : 'ftrace',
    });
  });

  test.each([
    ['<idle>', 0],
    ['<...>', 77],
    ['kworker/u16:1', 142],
    ['Web Content', 9],
    ['a-1 b-2', 3],
    ['x [001] y', 4],
    ['[003] 1.5: m:', 5],
    ['(sd-pam)', 6],
    ['a) [1', 7],
    ['fifteen-letters', 1234567],
    ['- - -', 8],
    ['\xff\x01\x80', 10],
  ])('of a task named %j has its number', (task, pid) => {
    const start = `${task.padStart(16)}-${String(pid).padEnd(7)}`;
    expect(scan(start + FTRACE_REST)).toMatchObject({ pid, cpu: 2, level: 'h', name: 'unmap' });
  });

  test.each([
    ['( 1234)', 1234],
    ['(1234567)', 1234567],
    ['(-------)', 5],
  ])('with the thread group %s has the task all the same', (tgid) => {
    expect(scan(`    kworker/0:1-5       ${tgid}${FTRACE_REST}`)).toMatchObject({
      pid: 5,
      cpu: 2,
      time: 123.456789,
    });
  });

  test.each([
    ['d.Z.', 'Z'],
    ['dNH2.', 'H'],
    ['D.s3.', 's'],
    ['d..h1.1', 'h'],
    ['bL.s2.1', 's'],
    ['....', '.'],
  ])('with the flags %s has their interrupt column', (flags, level) => {
    expect(scan(`x-1       [000] ${flags}     1.000000: map: (f) size=1`)).toMatchObject({ level });
  });

  test('of a counter clock has the count as its time', () => {
    expect(scan('x-1       [001] d.Z..           17: map: (f) size=1')).toMatchObject({
      time: 17,
      level: 'Z',
      shape: 'ftrace',
    });
  });

  test('without fields ends with its name', () => {
    expect(scan('x-1       [001] d.Z..  17.5: dyn_alloc:')).toMatchObject({
      name: 'dyn_alloc',
      body: '',
    });
  });

  test('of perf is named without its group', () => {
    expect(scan('dd   561 [000]    33.3:   my_group:map: (f) dev="a:b: c"')).toMatchObject({
      name: 'map',
      body: '(f) dev="a:b: c"',
    });
  });

  test('of an old perf has no group', () => {
    expect(scan('dd   561 [000]    33.3: swiotlb_bounced: dev_name: x')).toMatchObject({
      name: 'swiotlb_bounced',
      body: 'dev_name: x',
    });
  });
});

describe('no record is', () => {
  test.each([
    ['a comment', '#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION'],
    ['a kernel message', '[    4.123456] nvme 0000:00:03.0: swiotlb buffer is full'],
    ['a message with a CPU', '[    4.123456] CPU: 0 PID: 1 [001] not: tainted'],
    ['a line without a task', '[000] d.Z.  1.5: map: (f) size=1'],
    ['a line without a time', 'x-1  [000] d.Z. map: (f) size=1'],
    ['a time without a colon', 'x-1  [000] d.Z. 1.5 map: (f) size=1'],
    ['a line without a name', 'x-1  [000] d.Z. 1.5: just words'],
    ['flags of three columns', 'x-1  [000] d.Z 1.5: map: (f) size=1'],
    ['a CPU that is no number', 'x-1  [0x0] d.Z. 1.5: map: (f) size=1'],
    ['a task without a number', 'x  [000] d.Z. 1.5: map: (f) size=1'],
    ['brackets that are no thread group', `x-1 (${'y'.repeat(50)}) [000] d.Z. 1.5: map: (f)`],
    ['a stack trace', ' => swiotlb_tbl_map_single'],
    ['a line cut in its time', 'x-1  [000] d.Z. 1.'],
    ['a line cut in its CPU', 'x-1  [00'],
    ['nothing', ''],
  ])('%s', (_what, text) => {
    expect(scan(text)).toBeUndefined();
  });
});

test('a line of a million brackets is read without looking back from each to its start', () => {
  for (const piece of [') [0] 1: a: ', '[', '( [0] 1: a: ', '[0] ', '1 [0] 1:x']) {
    expect(scan(piece.repeat(1_000_000 / piece.length))?.pid).toSatisfy(
      (pid) => pid === undefined || pid === 1,
    );
  }
});

test('the helper prints what tracefs does', () => {
  expect(line(probe('unmap_locked', '', { idx0: 2, used0: 2 }), { seconds: 4.670215 })).toBe(
    '    kworker/0:1H-48      [000] d..1.     4.670215: unmap_locked:' +
      ' (swiotlb_tbl_map_single+0x5/0x460) idx0=2 used0=2',
  );
});
