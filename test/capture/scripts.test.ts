import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { captureFacts, versionNumber } from '../../src/capture/facts.js';
import { CAPTURE_TOOLS } from '../../src/capture/recipe.js';
import { runScript } from '../support/fakeKernel.js';
import { read } from '../support/reading.js';

/** Every release at which a script differs from that of the release before. */
const RELEASES = [
  [5, 10, 0],
  [5, 13, 0],
  [5, 15, 0],
  [5, 15, 33],
  [5, 17, 0],
  [6, 0, 0],
  [6, 1, 192],
  [6, 6, 0],
  [6, 9, 0],
  [6, 10, 0],
  [6, 11, 0],
  [7, 2, 0],
  [7, 3, 0],
] as const;

const scriptOf = (tool: string, version: readonly [number, number, number]): string => {
  const facts = captureFacts(`v${version.join('.')}`, versionNumber(...version));
  const known = CAPTURE_TOOLS.find(({ name }) => name === tool);
  if (known === undefined) throw new Error(`no tool ${tool}`);
  return known.script(facts);
};

/** Of these, what the machine has. */
const SHELLS = ['sh -n', 'bash -n', 'shellcheck -s sh -']
  .map((line) => line.split(' '))
  .filter(([program]) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0);

describe.each(CAPTURE_TOOLS.map(({ name }) => name))('the script for %s', (tool) => {
  const scripts = RELEASES.map((version) => scriptOf(tool, version));

  test.each(SHELLS)('is good shell for %s', (program, ...args) => {
    for (const input of scripts) {
      const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8' });
      expect(`${stdout}${stderr}`).toBe('');
      expect(status).toBe(0);
    }
  });

  test('tells what it costs and what it cannot see', () => {
    for (const script of scripts) {
      const comment = script.slice(0, script.indexOf('set -eu'));
      expect(comment).toMatch(/Overhead: /);
      expect(comment).toMatch(/What it cannot see:/);
    }
  });

  test('holds no offset into a function, nor into struct device', () => {
    for (const script of scripts) {
      const definitions = script.split('\n').filter((line) => line.includes('swl/'));
      for (const line of definitions)
        expect(line).not.toMatch(/single(?:%return)?\+0x|\+[1-9]\d*\(\$arg|%[a-z]i\b/);
    }
  });

  test('runs, says what surrounds the recording, and leaves nothing behind', async () => {
    const run = await runScript(scriptOf(tool, [6, 12, 0]), {
      dmesg:
        '[    0.000000] Linux version 6.12.1\n[    0.1] software IO TLB: area num 4.\n[    0.2] usb 1-1: a secret\n',
      trace: 'what the tool prints\n',
      dynamic: true,
      seconds: '0',
    });
    expect(run.status).toBe(0);
    const lines = (run.archive ?? '').split('\n');
    expect(lines.slice(0, 7)).toEqual([
      '# capture: version 1',
      `# capture: tool ${tool}`,
      '# capture: uname Linux host 6.12.1 #1 SMP x86_64 GNU/Linux',
      '# capture: page_size 16384',
      '# capture: cpus 4',
      '# capture: cmdline root=/dev/vda swiotlb=force',
      '# capture: config CONFIG_SWIOTLB=y',
    ]);
    expect(lines[7]).toBe('# capture: config CONFIG_SWIOTLB_DYNAMIC=y');
    expect(lines[8]).toBe('# capture: debugfs default io_tlb_nslabs 32768');
    const log = lines.indexOf('[    0.1] software IO TLB: area num 4.');
    const trace = lines.indexOf('what the tool prints');
    const after = lines.lastIndexOf('# capture: debugfs default io_tlb_used 7');
    expect(8 < log && log < trace && trace < after).toBe(true);
    expect(run.archive).not.toContain('a secret');

    const added = run.events.filter((line) => !line.startsWith('-:'));
    const names = added.map((line) => /swl\/(\w+)/.exec(line)?.[1]);
    for (const name of names) expect(run.events).toContain(`-:swl/${name}`);
    expect(run.instanceLeft).toBe(false);
  });
});

describe('a script with probes', () => {
  const script = scriptOf('ftrace', [6, 1, 192]);

  test('writes down and says how many hits were missed', async () => {
    const run = await runScript(script, {
      release: '6.1.192',
      profile: '  map     70 0\n  unmap     27             899\n  other 5 4\n',
    });
    expect(run.stderr).toContain('899 hits of probes were missed');
    expect(run.archive).toContain('# capture: profile map 70 0\n# capture: profile unmap 27 899\n');
    expect(run.archive).not.toContain('profile other');
  });

  test('says when the buffer was too small, and when the kernel is another', async () => {
    const { stderr } = await runScript(script, { release: '6.12.1' });
    expect(stderr).toContain('3 events were overwritten');
    expect(stderr).toContain('made for Linux 6.1, and this is 6.12.1');
  });

  test('ends with what the kernel says where it takes no probes, and writes no archive', async () => {
    const run = await runScript(script, { release: '6.1.9', rejects: '*' });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('what the kernel thinks of it');
    expect(run.stderr).toContain('takes no probes');
    expect(run.archive).toBeUndefined();
    expect(run.instanceLeft).toBe(false);
  });

  test.each(['x', '1 2', '-1'])('refuses %j seconds', async (seconds) => {
    const run = await runScript(script, { release: '6.1.9', seconds });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('SECONDS and KIB are numbers');
  });

  test('records in a clock that all CPUs share, and lets the tools run as long as asked', async () => {
    const perf = await runScript(scriptOf('perf', [6, 12, 0]), { seconds: '5' });
    expect(perf.calls).toMatch(/^perf record -a -k CLOCK_MONOTONIC .* -- sleep 5$/m);
    const traceCmd = await runScript(scriptOf('trace-cmd', [6, 12, 0]), { seconds: '0' });
    expect(traceCmd.calls).toMatch(/^trace-cmd record -C global [^\n]*trace\.dat$/m);
  });
});

describe('the script for bpftrace', () => {
  const LINES = [
    'Attaching 8 probes...',
    'map,3000,0,1000,0x10000800,4096,4096,0x0,1,0x0,0x7c700800,0000:00:06.0',
    'unmap,4000,0,0x7c700800,4096,,1,0x20,0000:00:06.0',
    'device,1001,0,0xfff,0xffffffff,0xffffffffffffffff,0x7c700000,4096,4,0,0000:00:06.0',
    'map,2000,1,1500,0x10001000,512,512,0x0,2,0x0,0x7c900000,0000:00:06.0',
    '',
  ].join('\n');

  test('puts the lines of all CPUs in order, so that they are read as they are', async () => {
    const run = await runScript(scriptOf('bpftrace', [6, 1, 192]), {
      release: '6.1.192',
      trace: LINES,
    });
    const { events, info, tally } = await read(run.archive ?? '');
    expect(tally.format).toBe('bpftrace');
    expect(events.map(({ op, result }) => [op, result])).toEqual([
      ['map', 0x7c900000],
      ['map', 0x7c700800],
      ['unmap', 0x7c700800],
    ]);
    expect(info).toMatchObject({
      kernel: 'Linux version 6.1.192',
      pageSize: 16384,
      problems: { count: 0 },
      losses: [],
      devices: [{ name: '0000:00:06.0', minAlignMask: 0xfff }],
    });
  });

  test.each([
    ['x86_64', 'sarg0'],
    ['aarch64', 'arg6'],
  ])('finds the seventh argument of %s', async (machine, argument) => {
    const version = [6, 1, 192] as const;
    const run = await runScript(scriptOf('bpftrace', version), { release: '6.1.9', machine });
    expect(run.program).toContain(`@attrs[$task, $depth] = (uint64)${argument};`);
    expect(run.program).not.toContain('SEVENTH');
  });

  test('says so where it does not know the seventh argument', async () => {
    const run = await runScript(scriptOf('bpftrace', [6, 1, 0]), { machine: 's390x' });
    expect(run).toMatchObject({ status: 1, archive: undefined });
    expect(run.stderr).toContain('s390x');
  });

  test('prints as many values as each line has places', () => {
    for (const version of RELEASES) {
      const script = scriptOf('bpftrace', version);
      const calls = [...script.matchAll(/printf\("(.*?)\\n",([^;]*)\);/gs)];
      expect(calls.length).toBeGreaterThanOrEqual(5);
      for (const [, format, values] of calls) {
        const flat = values.replace(/\[[^\]]*\]/g, '').replace(/\([^()]*\)/g, '');
        expect(flat.split(',')).toHaveLength(format.split('%').length - 1);
      }
    }
  });
});
