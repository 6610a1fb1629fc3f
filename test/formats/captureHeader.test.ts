import { describe, expect, test } from 'vitest';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { readCaptureLine } from '../../src/formats/captureHeader.js';
import { readVersion } from '../../src/kernel/version.js';

function readLines(...lines: string[]): TraceInfo {
  const info = emptyTraceInfo();
  lines.forEach((text, n) => {
    expect(readCaptureLine(`# capture: ${text}`, n + 1, info)).toBe(true);
  });
  return info;
}

describe('a line of capture', () => {
  test('names the kernel, its pages and its options', () => {
    const info = readLines(
      'version 1',
      'tool ftrace',
      'uname Linux box 6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16) x86_64 GNU/Linux',
      'page_size 65536',
      'config CONFIG_SWIOTLB_DYNAMIC=y',
    );
    expect(info).toMatchObject({ pageSize: 65536, dynamic: true, problems: { count: 0 } });
    expect(readVersion(info.kernel ?? '')).toMatchObject({ major: 6, minor: 1, patch: 192 });
  });

  test('counts the slots of the default pool, the first time', () => {
    const info = readLines(
      'debugfs rmem@60000000 io_tlb_nslabs 2048',
      'debugfs default io_tlb_used 12',
      'debugfs default io_tlb_nslabs 4096',
      'debugfs default io_tlb_nslabs 8192',
    );
    expect(info.defaultNslabs).toBe(4096);
  });

  test('tells of missed and lost events', () => {
    const { losses } = readLines(
      'profile map 71436 0',
      'profile unmap 70027 899',
      'lost 12 perf',
      'lost 0 perf',
    );
    expect(losses).toEqual([
      { line: 2, events: 899, message: 'the probe unmap missed 899 calls and saw 70027' },
      { line: 3, events: 12, message: 'perf lost 12 events' },
    ]);
  });

  test('does not outweigh what the trace said before', () => {
    const info = { ...emptyTraceInfo(), kernel: 'v6.8', pageSize: 4096 };
    readCaptureLine('# capture: uname Linux a 6.1.0', 1, info);
    readCaptureLine('# capture: page_size 16384', 2, info);
    expect(info).toMatchObject({ kernel: 'v6.8', pageSize: 4096 });
  });

  test('for people alone says nothing', () => {
    const before = emptyTraceInfo();
    expect(
      readLines('cmdline root=/dev/vda', 'constructor x', 'probes fprobe', '', 'cpus'),
    ).toEqual(before);
  });

  test.each(['# tracer: nop', '# captured: uname x', ' # capture: uname x', 'uname x', ''])(
    '%j is none',
    (text) => {
      const info = emptyTraceInfo();
      expect(readCaptureLine(text, 1, info)).toBe(false);
      expect(info).toEqual(emptyTraceInfo());
    },
  );

  test.each([
    'version 2',
    'page_size 5000',
    'page_size',
    'debugfs default io_tlb_nslabs 999999999',
    'profile map many 3',
    'profile map 3',
    'lost some',
  ])('%j is a problem', (text) => {
    const info = readLines(text);
    expect(info.problems.count).toBe(1);
    expect(info.problems.first[0].text).toBe(`# capture: ${text}`);
    expect(info).toMatchObject({ losses: [], pageSize: undefined });
  });
});
