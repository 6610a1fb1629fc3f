import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { inTempDir } from '../support/reading.js';

const capture = (...args: string[]) => swiotlbReplay(['capture', ...args]);

describe('capture', () => {
  test('prints a script for ftrace where no tool is named', () => {
    const { status, stdout, stderr } = capture('--kernel', '6.12.107');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^#!\/bin\/sh\n# Records what swiotlb does on Linux 6\.12\.107, with ftrace/,
    );
  });

  test('takes what uname prints, and rows of the table', () => {
    const debian = capture('--kernel', '6.1.0-56-amd64').stdout;
    expect(debian).toContain('align_mask=$arg5:x32');
    // Ubuntu's name hides which 5.15.y it is: most likely one with alloc_align_mask.
    expect(capture('--kernel', '5.15.0-91-generic').stdout).toContain('align_mask=$arg5:x32');
    expect(capture('--kernel', '5.15.7').stdout).not.toContain('align_mask=$arg5:x32');
    expect(capture('--kernel', 'v6.8+will-v1').stdout).toContain('alloc_size=alloc_size:u64');
    expect(capture('--kernel', 'latest').stdout).toContain('attrs=attrs:x64');
  });

  test('knows a kernel that cannot be replayed yet, and says so', () => {
    const { status, stdout, stderr } = capture('--kernel', '7.3-rc7');
    expect(status).toBe(0);
    expect(stdout).toContain('attrs=+0(attrs):x64');
    expect(stderr).toContain('7.3-rc7 cannot be replayed yet');
  });

  test.each([
    ['4.19', 'v5.10 is the oldest release'],
    ['banana', 'unknown kernel banana'],
    ['5.14.0-427.el9.x86_64', 'the nearest that can be replayed are v5.13 and v5.15'],
  ])('refuses %s and helps', (kernel, words) => {
    const { status, stdout, stderr } = capture('--kernel', kernel);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
  });

  test('refuses a tool that it has no script for', () => {
    const { status, stderr } = capture('--kernel', '6.12', '--tool', 'strace');
    expect(status).toBe(2);
    expect(stderr).toContain('ftrace, trace-cmd, perf, bpftrace');
  });

  test('writes to a file', async () => {
    await inTempDir(async (dir) => {
      const file = join(dir, 'capture.sh');
      expect(capture('--kernel', '6.12', '-o', file)).toMatchObject({ status: 0, stdout: '' });
      expect(readFileSync(file, 'utf8')).toBe(capture('--kernel', '6.12').stdout);
    });
  });

  test('does what its page shows', async () => {
    const page = readFileSync(join(PROJECT, 'docs/capture.md'), 'utf8');
    const commands = [...page.matchAll(/^swiotlb-replay (capture [^>\n]*)/gm)].map(
      ([, text]) => text,
    );
    expect(commands.length).toBeGreaterThan(3);
    await inTempDir(async (dir) => {
      for (const command of commands) {
        const args = command
          .replace('"$(uname -r)"', '6.12.9')
          .replace('capture.sh', join(dir, 'capture.sh'))
          .trim()
          .split(' ');
        expect(swiotlbReplay(args), command).toMatchObject({ status: 0, stderr: '' });
      }
    });
  });

  test('prints parameters that record from boot on, in one line that a kernel takes', () => {
    const { stdout } = capture('--kernel', '6.12', '--boot');
    expect(stdout).toMatch(
      /^trace_clock=global trace_buf_size=65536K kprobe_event=p:swl\/map,swiotlb_tbl_map_single,\S+\n$/,
    );
    expect(stdout).toContain(',base=@io_tlb_default_mem:x64,nslabs=@io_tlb_default_mem+24:u64;');
    expect(stdout).toContain(';p:swl/unmap,__swiotlb_tbl_unmap_single,');
    // COMMAND_LINE_SIZE of x86 and arm64.
    expect(stdout.length).toBeLessThan(2048 - 512);
    expect(stdout).not.toMatch(/["']/);
  });
});
