import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { whoSection } from '../../src/render/who.js';
import { replay } from '../support/replaying.js';

const POOL = '#pool name=default base=0x80000000 nslabs=64 areas=2 index=0:0\n';

async function section(trace: string, blocks = false, width = 120): Promise<string[]> {
  const { report } = await replay('v6.9', trace);
  return whoSection(report, { width, blocks }, new Chalk({ level: 0 }));
}

/** A network card that maps and unmaps, and keeps one buffer in ten; with times, CPU 1 and requests in vain. */
function busyTrace(): string {
  let text = `${POOL}time,cpu,dev,op,orig_addr,size,tlb_addr\n0.5,0,usb,map,0x5000,4096,\n`;
  for (let n = 0; n < 80; n++) {
    const address = `0x${(0x80000000 + n * 4096).toString(16)}`;
    text += `${n + 1},1,net,map,0x5000,1500,${address}\n`;
    if (n % 2 === 0) text += `${n + 1}.25,1,net,unmap,,1500,${address}\n`;
  }
  return text;
}

describe('who uses the pools', () => {
  it('is left out where one device does a few things', async () => {
    expect(await section(`${POOL}dev,op,orig_addr,size\nnet,map,0x5000,2048`, true)).toEqual([]);
  });

  it('is a small table where several devices do a few', async () => {
    const trace = `${POOL}dev,op,orig_addr,size\nnet,map,0x5000,2048\nusb,map,0x5000,6000`;
    expect(await section(trace, true)).toEqual([
      'Who',
      '  device  requests  failed     bytes  peak slots  at peak  live slots',
      '  usb            1       0  5.86 KiB           3     75 %           3',
      '  net            1       0     2 KiB           1     25 %           1',
    ]);
  });

  it('has facts and habits for a trace of more', async () => {
    expect(await section(busyTrace())).toEqual([
      'Who',
      '  peak      42 of 64 slots at line 121; the trace takes 1.32 min',
      '  areas     20 % of the searches left the area of their CPU: area 1 (CPU 1) 16 of 80, 16 times because it was full',
      '  padding   26 % of the bytes taken were not asked for; most of them, 42.8 KiB, in 80 requests of up to 2 KiB of net',
      '  oldest    line 3: 4 KiB of usb, live for 1.32 min; 39 of net are older than any that it released',
      '  device  requests  failed    bytes  per second  peak slots  at peak  live slots  median life    99 %  padding',
      '  net           80       0  117 KiB    1.47 KiB          40     95 %          40       250 ms  250 ms     27 %',
      '  usb            1       0    4 KiB      51.5 B           2      5 %           2                           0 %',
    ]);
  });

  it('is drawn where the terminal has block characters, as far as there is room', async () => {
    const wide = await section(busyTrace(), true, 140);
    expect(wide[1]).toMatch(/^ {2}slots {5}[▁▂▃▄▅▆▇█]{100,128}$/);
    expect(wide.at(-2)).toMatch(/27 % {2}[▁▂▃▄▅▆▇█]{16}$/);
    const narrow = await section(busyTrace(), true, 90);
    expect(narrow[1]).toMatch(/^ {2}slots {5}[▁▂▃▄▅▆▇█]{60,78}$/);
    expect(narrow.at(-2)).toMatch(/27 %$/);
  });

  it('shows where requests failed', async () => {
    const full = `${POOL}dev,op,orig_addr,size\n${'net,map,0x5000,2048\n'.repeat(80)}`;
    const failed = (await section(full, true, 92)).find((line) => line.startsWith('  failed'));
    expect(failed).toBe(`  failed    ${' '.repeat(64)}${'█'.repeat(16)}`);
    expect((await section(full)).join('\n')).not.toMatch(/[▁▂▃▄▅▆▇█]/);
  });

  it('tells of growth with its evidence', async () => {
    let text = `#pool name=default base=0x80000000 nslabs=1024 index=0\ndev,op,orig_addr,size,tlb_addr\n`;
    for (let n = 0; n < 1000; n++) {
      const address = `0x${(0x80000000 + n * 4096).toString(16)}`;
      text += `net,map,0x5000,2048,${address}\n`;
      if (n % 10 > 0) text += `net,unmap,,2048,${address}\n`;
    }
    const [growth] = (await section(text)).filter((line) => line.startsWith('  grows'));
    expect(growth).toBe(
      '  grows     net never falls back: at least 0, 13, 25, 38, 50, 63, 75, 88 slots in the eighths of the trace; 0.0529 more',
    );
  });

  it('does no harm to a terminal', async () => {
    const name = 'x\u001b[31m\u202e';
    const trace = `${POOL}dev,op,orig_addr,size\n${name},map,0x5000,2048\nusb,map,0x5000,6000`;
    const text = (await section(trace)).join('\n');
    expect(text).toContain('x\\x1b[31m\\u202e');
    expect(text).not.toContain('\u001b');
  });
});
