import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'pack-'));
const installed = join(folder, 'node_modules/swiotlb-replay');
const npm = (cwd: string, ...args: string[]): string =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

let packed: string[];

/** The package is what it is without a network: it needs nothing but itself. */
beforeAll(() => {
  // The tests have built it; building it again would pull it away from under others.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [{ filename, files }] = JSON.parse(npm(PROJECT, ...args));
  packed = files.map(({ path }: { path: string }) => path);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', join(folder, filename));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(...words: string[]) {
  const program = join(folder, 'node_modules/.bin/swiotlb-replay');
  return spawnSync(process.execPath, [program, ...words], { cwd: installed, encoding: 'utf8' });
}

describe('the tarball', () => {
  test('holds what is needed, and nothing else', () => {
    const rooms = packed.map((path) => {
      const [room, inside, ...rest] = path.split('/');
      if (inside === undefined) return room;
      return room === 'dist'
        ? [room, inside, ...(rest.length > 0 ? [''] : [])].join('/')
        : `${room}/`;
    });
    expect([...new Set(rooms)].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin/',
      'dist/THIRD-PARTY-NOTICES',
      'dist/library.js',
      'dist/man/',
      'dist/program/',
      'dist/types/',
      'docs/',
      'package.json',
      'traces/',
    ]);
    expect(
      packed.filter((path) => /\.ts$/.test(path) && !/^dist\/types\/.*\.d\.ts$/.test(path)),
    ).toEqual([]);
  });

  test('has every file that a document or the program points to', () => {
    const links = packed
      .filter((path) => /\.md$/.test(path))
      .flatMap((path) => {
        const text = readFileSync(join(PROJECT, path), 'utf8');
        return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to]) =>
          join(path, '..', to),
        );
      });
    const missing = [...new Set(links)].filter(
      (link) =>
        !packed.some((path) => path === link || path.startsWith(`${link.replace(/\/$/, '')}/`)),
    );
    expect(missing).toEqual([]);
  });

  test('has every module that is started as a thread', () => {
    const sources = readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(PROJECT, 'src', name), 'utf8'));
    const modules = sources.flatMap((text) =>
      [...text.matchAll(/new URL\('\.\/([^']+)', import\.meta\.url\)/g)].map(([, file]) => file),
    );
    expect(modules).toContain('checkWorker.js');
    expect(packed).toEqual(expect.arrayContaining(modules.map((file) => `dist/program/${file}`)));
  });

  test('tells of the licence of every package that is in it', () => {
    const notices = readFileSync(join(installed, 'dist/THIRD-PARTY-NOTICES'), 'utf8');
    for (const name of ['chalk', 'cli-progress', 'commander', 'csv-parse', 'd3-scale', 'zstddec']) {
      expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`, 'm'));
    }
  });

  test('has types that need no others', () => {
    const outside = packed
      .filter((path) => path.endsWith('.d.ts'))
      .flatMap((path) => {
        const text = readFileSync(join(PROJECT, path), 'utf8');
        return [...text.matchAll(/(?:from |import\()['"]([^'"]+)/g)].map(([, to]) =>
          to.startsWith('.') ? join(path, '..', to.replace(/\.js$/, '.d.ts')) : to,
        );
      })
      .filter((file) => file !== 'swiotlb-replay' && !packed.includes(file));
    expect(outside).toEqual([]);
  });
});

describe('the installed package', () => {
  test('is alone', () => {
    const names = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(names).toEqual(['swiotlb-replay']);
  });

  test('runs the seed trace, as in the project', () => {
    const words = ['traces/double-allocation/trace.log'];
    const { status, stdout, stderr } = run(...words);
    expect({ status, stdout, stderr }).toEqual(swiotlbReplay(words));
    expect(status).toBe(1);
    expect(stdout).toContain('2 pages allocated twice');
  });

  test('tells its version, and helps', () => {
    const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
    expect(run('--version').stdout).toBe(`${version}\n`);
    expect(run('--help').stdout).toBe(swiotlbReplay(['--help']).stdout);
  });

  test('checks the traces that come with it, on several threads', () => {
    const { status, stdout, stderr } = run('check', 'traces/', '--jobs', '2');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^(\d+) of \1 cases as expected$/m);
  });

  test('sizes a pool, and runs a policy, on threads of their own', () => {
    const size = run('size', 'traces/fragmented/trace.csv', '--jobs', '2');
    expect([size.status, size.stderr]).toEqual([0, '']);
    const seed = 'traces/double-allocation/trace.log';
    const policy = run('verify', seed, '--kernel', './docs/policies/first-fix.mjs');
    expect([policy.status, policy.stderr]).toEqual([1, '']);
  });

  test('is a library', () => {
    const script = `
      import { verify } from 'swiotlb-replay';
      const { reproduced } = await verify('${installed}/traces/double-allocation/trace.log', { kernel: 'v6.8' });
      console.log(reproduced);`;
    const args = ['--input-type=module', '--eval', script];
    expect(execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })).toBe('3\n');
  });

  test('has a manual page where it says', () => {
    const { man } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(existsSync(join(installed, man))).toBe(true);
  });
});
