import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium } from '../../support/chromium.js';
import { swiotlbReplay } from '../../support/cli.js';

const executablePath = findChromium();
if (executablePath === undefined) {
  console.warn('no Chromium in PATH and none named by CHROMIUM: pages are not tested in a browser');
}

const SEED = 'traces/double-allocation/trace.log';

/** Names that break out where something is not escaped. They run `globalThis.broken = 1` if they can. */
const HOSTILE = [
  '</script><img src=x onerror=globalThis.broken=1>',
  '"><svg onload=globalThis.broken=1>',
  '<!--<script>globalThis.broken=1</script>',
  "' onfocus='globalThis.broken=1' autofocus='",
  '\u202ereversed\u2066',
  '</title><script>globalThis.broken=1</script>',
];

/** A trace in which they all hold slots, and are found fault with. */
function hostileTrace(): string {
  const pool = { name: HOSTILE[0], base: '0x80000000', nslabs: 64, areas: 1, index: [0] };
  const rows = [
    { trace: 1, kernel: { version: 'v6.8', page_size: 4096 } },
    { pool },
    ...HOSTILE.flatMap((dev, n) => [
      { dev, op: 'map', orig_addr: '0x100000', size: 2048 + n },
      { dev, op: 'map', orig_addr: '0x100000', size: 262144 },
      { dev, op: 'unmap', tlb_addr: '0x90000000', size: 2048 },
    ]),
  ];
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** The address of the n-th slot from the third on. */
function address(n: number): string {
  return `0x${(0x80000000 + (n + 3) * 2048).toString(16)}`;
}

let folder: string;
let browser: Browser;

/** Whatever a page must not do. */
const complaints: string[] = [];

beforeAll(async () => {
  if (executablePath === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-page-'));
  writeFileSync(join(folder, 'hostile.jsonl'), hostileTrace());
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: 120_000 });
}, 240_000);

afterAll(async () => {
  await browser?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** Writes a report, and opens it from disk. */
async function open(
  args: string[],
  options: { colorScheme?: 'light' | 'dark'; javaScriptEnabled?: boolean } = {},
): Promise<Page> {
  const file = join(folder, `${complaints.length}-${Math.random()}.html`);
  const { status, stderr } = swiotlbReplay(['report', ...args, '--html', file]);
  expect(stderr).toBe('');
  expect([0, 1]).toContain(status);
  const page = await browser.newPage(options);
  page.setDefaultTimeout(60_000);
  complaints.length = 0;
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => complaints.push(dialog.message()));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(file).href) complaints.push(request.url());
  });
  await page.goto(pathToFileURL(file).href);
  if (options.javaScriptEnabled !== false) await mapsAreDrawn(page);
  return page;
}

async function mapsAreDrawn(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const canvases = [...document.querySelectorAll('canvas')];
    return canvases.every((canvas) => !canvas.hidden);
  });
}

/** The colours that a map's canvas shows, as CSS would write them. */
async function canvasColours(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const canvas = document.querySelector('canvas') as HTMLCanvasElement;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set<string>();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 255) found.add(data.slice(at, at + 3).join());
    }
    return [...found];
  });
}

/** Waits until a map's first cell, which is in use, has a colour. */
async function canvasIs(page: Page, colour: string): Promise<void> {
  await page.waitForFunction((expected) => {
    const canvas = document.querySelector('canvas') as HTMLCanvasElement;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    return context.getImageData(1, 1, 1, 1).data.slice(0, 3).join() === expected;
  }, colour);
}

describe.skipIf(executablePath === undefined)('a page in a browser', () => {
  test('opens from disk, asks for nothing else and complains of nothing', async () => {
    const page = await open([SEED]);
    expect(await page.locator('.verdict').textContent()).toBe(
      'On v6.8, 5 errors and 3 warnings in 3 events: 2 pages allocated twice.',
    );
    expect(await page.locator('figure.map canvas').count()).toBe(1);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('says nothing that names in the trace want it to', async () => {
    const page = await open([join(folder, 'hostile.jsonl')]);
    expect(complaints).toEqual([]);
    expect(await page.evaluate(() => 'broken' in globalThis)).toBe(false);
    expect(await page.locator('img, iframe, [onload], [onerror], [autofocus]').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(2);
    const names = await page.locator('.legend li').allTextContents();
    expect(names).toContain(HOSTILE[0]);
    expect(names).toContain('\\u202ereversed\\u2066');
    await page.close();
  });

  test('runs no script but its own', async () => {
    const page = await open([SEED]);
    const ran = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.broken = 1';
      document.body.append(script);
      return 'broken' in globalThis;
    });
    expect(ran).toBe(false);
    expect(complaints.join()).toMatch(/Content Security Policy/);
    await page.close();
  });

  test('goes from a finding to its place in the map, and back with Escape', async () => {
    const page = await open([SEED]);
    const link = page.locator('a[data-map]', { hasText: 'line 3' }).first();
    await link.focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('.said').textContent()).toMatch(
      /^page 0x9832a000 belongs to two live allocations.*line 3 · slot 1652 at 0x9832a000/,
    );
    const frame = page.locator('.focus');
    expect(await frame.evaluate((element) => element.style.left)).toMatch(/^66\.6/);
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('cells');
    await page.keyboard.press('Escape');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('line 3');
    await page.close();
  });

  test('shows a finding without an address as a whole column', async () => {
    const page = await open(['traces/fragmented/trace.csv']);
    await page.locator('a[data-map]', { hasText: 'line 103' }).click();
    expect(await page.locator('.said').textContent()).toMatch(/failed: fragmented.* — line 103$/);
    expect(await page.locator('.focus').evaluate((element) => element.style.height)).toBe('100%');
    await page.close();
  });

  test('tells each cell of the map to who moves in it with keys', async () => {
    const page = await open([SEED]);
    await page.locator('.cells').focus();
    const said = page.locator('.said');
    expect(await said.textContent()).toBe(
      'line 1 · slot 1645 at 0x98326800 · all in use, by 0000:00:07.0',
    );
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('PageDown');
    expect(await said.textContent()).toBe('line 1 · slot 1656 at 0x9832c000 · free');
    await page.keyboard.press('End');
    expect(await said.textContent()).toMatch(/^line 3 .* all in use, by 0000:00:07.0$/);
    for (let n = 0; n < 5; n++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowUp');
    expect(await said.textContent()).toMatch(/^line 3 · slot 1646 /);
    await page.keyboard.press('Home');
    expect(await said.textContent()).toMatch(/^line 1 /);
    await page.close();
  });

  test('sorts its table of devices by a click on a head, both ways', async () => {
    const page = await open(['traces/fragmented/trace.csv']);
    const table = page.locator('table', { has: page.locator('th button') });
    const column = () => table.locator('tbody td:nth-child(2)').allTextContents();
    const button = table.locator('th button', { hasText: 'requests' });
    const head = table.locator('th', { hasText: 'requests' });
    await button.focus();
    await page.keyboard.press('Enter');
    expect(await column()).toEqual(['64', '2']);
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    await page.keyboard.press('Enter');
    expect(await column()).toEqual(['2', '64']);
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await table.locator('th[aria-sort=none]').count()).toBeGreaterThan(3);
    await table.locator('th button', { hasText: 'device' }).click();
    expect(await table.locator('tbody td:first-child').allTextContents()).toEqual(['eth0', 'sda']);
    expect(await head.getAttribute('aria-sort')).toBe('none');
    await page.close();
  });

  test('is dark where the reader wants it, and light on paper', async () => {
    const page = await open([SEED], { colorScheme: 'dark' });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await canvasColours(page);
    expect(await ground()).toBe('rgb(21, 24, 28)');
    expect(dark).toEqual(['102,153,204']);
    await page.emulateMedia({ colorScheme: 'light' });
    await canvasIs(page, '68,119,170');
    await page.emulateMedia({ colorScheme: 'dark' });
    await canvasIs(page, '102,153,204');
    await page.emulateMedia({ media: 'print' });
    expect(await ground()).toBe('rgb(255, 255, 255)');
    await canvasIs(page, '68,119,170');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('has its map without a script too', async () => {
    const page = await open([SEED], { javaScriptEnabled: false });
    const plain = page.locator('.map .plain path');
    expect(await plain.count()).toBe(1);
    expect((await plain.boundingBox())?.width).toBeGreaterThan(200);
    await page.close();
  });

  test('shows two sides on one scale', async () => {
    const page = await open([SEED, '--old', 'v6.8', '--new', 'v6.9']);
    expect(complaints).toEqual([]);
    expect(await page.locator('.verdict').textContent()).toBe(
      'v6.8: 5 errors and 3 warnings; v6.9: nothing wrong found; 3 of 3 addresses differ, 8 findings fewer.',
    );
    expect(await page.locator('figure.map').count()).toBe(2);
    const lowest = await page.locator('.map .gutter text:nth-of-type(2)').allTextContents();
    expect(new Set(lowest)).toEqual(new Set(['slot 1645']));
    await page.close();
  });

  test('tells the cells of two sides whose rows have different sizes', async () => {
    // A pool of 64 slots of which all are taken, and one of 1024 in which searches go on and on.
    const rows = Array.from({ length: 400 }, (_, n) => [
      { dev: 'sda', op: 'map', orig_addr: '0x100000', size: 2048, tlb_addr: address(n) },
      { dev: 'sda', op: 'unmap', size: 2048, tlb_addr: address(n) },
    ]).flat();
    const head = [
      { trace: 1, kernel: { version: 'v6.8', page_size: 4096 } },
      { pool: { name: 'default', base: '0x80000000', nslabs: 1024, areas: 1, index: [3] } },
    ];
    const trace = join(folder, 'sizes.jsonl');
    writeFileSync(trace, [...head, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(''));
    const page = await open([trace, '--new-pool', 'name=default,nslabs=64']);
    const said = page.locator('.said');
    await page.locator('.cells').first().focus();
    await page.keyboard.press('ArrowDown');
    expect(await said.first().textContent()).toBe(
      'line 3-4 · slot 2-3 at 0x80001000 · about 27 % in use, by sda',
    );
    await page.locator('.cells').last().focus();
    for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowDown');
    expect(await said.last().textContent()).toBe(
      'line 3-4 · slot 3 at 0x80001800 · about 53 % in use, by sda',
    );
    expect(complaints).toEqual([]);
    await page.close();
  });

  test.each(['occupancy', 'fragmentation', 'sizes'])(
    'reads the plot of %s as SVG',
    async (what) => {
      const { stdout } = swiotlbReplay(['report', join(folder, 'hostile.jsonl'), '--plot', what]);
      const page = await browser.newPage();
      const [root, errors] = await page.evaluate((text) => {
        const parsed = new DOMParser().parseFromString(text, 'image/svg+xml');
        return [parsed.documentElement.tagName, parsed.querySelectorAll('parsererror').length];
      }, stdout);
      expect([root, errors]).toEqual(['svg', 0]);
      await page.close();
    },
  );

  test('has unique ids, headings in order and a caption on every table', async () => {
    const page = await open([SEED, '--old', 'v6.8', '--new', 'v6.9']);
    const [ids, heads, uncaptioned] = await page.evaluate(() => [
      [...document.querySelectorAll('[id]')].map(({ id }) => id),
      [...document.querySelectorAll('h1,h2,h3')].map(({ tagName }) => tagName),
      document.querySelectorAll('table:not(:has(caption))').length,
    ]);
    expect(new Set(ids).size).toBe((ids as string[]).length);
    expect((heads as string[]).filter((tag) => tag === 'H1')).toHaveLength(1);
    expect((heads as string[])[0]).toBe('H1');
    expect(uncaptioned).toBe(0);
    await page.close();
  });
});

test('the page names nothing outside itself', () => {
  const { stdout } = swiotlbReplay(['report', SEED, '--html', '-']);
  expect(stdout).not.toMatch(/(src|href)="(?!#)/);
  expect(stdout.match(/https?:/)).toBeNull();
});
