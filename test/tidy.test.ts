import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RULES } from '../src/check/rules.js';
import { FORMATS } from '../src/formats/table.js';
import { RELEASES } from '../src/kernel/releases.js';
import { CHECK_RENDERERS } from '../src/render/check/table.js';
import { RENDERERS } from '../src/render/table.js';
import { PROJECT } from './support/cli.js';

/** Each room of the house and the rooms that it may import, besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  kernel: [],
  events: ['kernel'],
  source: ['events'],
  formats: ['kernel', 'events', 'source'],
  capture: [],
  swiotlb: ['kernel'],
  iommu: ['kernel'],
  dma: ['kernel', 'swiotlb', 'iommu'],
  replay: ['kernel', 'events', 'swiotlb', 'iommu', 'dma'],
  generate: ['kernel', 'events', 'swiotlb'],
  convert: ['kernel', 'events', 'swiotlb', 'replay'],
  analysis: ['kernel', 'events', 'swiotlb', 'iommu', 'dma', 'replay'],
  sizing: ['kernel', 'events', 'swiotlb', 'replay', 'analysis'],
  check: ['kernel', 'events', 'swiotlb', 'iommu', 'dma', 'replay', 'analysis'],
  report: ['kernel', 'events', 'swiotlb', 'iommu', 'dma', 'replay', 'analysis', 'sizing', 'check'],
  corpus: ['kernel', 'events', 'replay', 'analysis', 'check', 'report'],
  pipeline: ['kernel', 'events', 'source', 'formats', 'replay', 'report'],
  library: ['kernel', 'events', 'formats', 'replay', 'analysis', 'report', 'pipeline'],
  render: ['events', 'analysis', 'sizing', 'check', 'report', 'corpus'],
  writers: ['kernel', 'events', 'swiotlb', 'replay', 'check', 'render'],
  cli: [
    'kernel',
    'events',
    'source',
    'formats',
    'capture',
    'swiotlb',
    'iommu',
    'dma',
    'replay',
    'analysis',
    'sizing',
    'check',
    'report',
    'corpus',
    'pipeline',
    'library',
    'render',
    'convert',
    'generate',
    'writers',
  ],
};

/** Packages that only one place may use. */
const PACKAGE_HOMES: Record<string, RegExp> = {
  chalk: /^src\/(render|cli)\//,
  commander: /^src\/cli\//,
  'd3-scale': /^src\/render\/html\//,
  'd3-shape': /^src\/render\/html\//,
  'csv-parse/sync': /^src\/formats\/csv\.ts$/,
  'zstddec/stream': /^src\/source\/zstd\.ts$/,
};

/** Lines beyond which a file is no longer one thing. */
const MAX_LINES = 350;

const files = readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({
    path: `src/${name.split(sep).join('/')}`,
    text: readFileSync(join(PROJECT, 'src', name), 'utf8'),
  }));

/** The modules that a file imports, with the line of each import. */
function importsOf(text: string): { from: string; line: number }[] {
  return [...text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gms)].map((match) => ({
    from: match[1],
    line: text.slice(0, match.index).split('\n').length,
  }));
}

function roomOf(path: string): string {
  return path.split('/')[1];
}

describe('the house', () => {
  test('has only rooms that the plan knows', () => {
    expect(new Set(files.map(({ path }) => roomOf(path)))).toEqual(
      new Set(Object.keys(MAY_IMPORT)),
    );
  });

  test('has imports that go one way', () => {
    const wrong: string[] = [];
    for (const { path, text } of files) {
      for (const { from, line } of importsOf(text)) {
        if (!from.startsWith('.')) continue;
        const target = relative(PROJECT, join(PROJECT, path, '..', from))
          .split(sep)
          .join('/');
        const room = roomOf(target);
        if (room !== roomOf(path) && !MAY_IMPORT[roomOf(path)].includes(room)) {
          wrong.push(`${path}:${line}: ${roomOf(path)} may not import ${room}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('keeps packages in their place', () => {
    const wrong: string[] = [];
    for (const { path, text } of files) {
      for (const { from, line } of importsOf(text)) {
        if (PACKAGE_HOMES[from]?.test(path) === false) wrong.push(`${path}:${line}: ${from}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('has no file that is more than one thing', () => {
    const long = files.filter(({ text }) => text.split('\n').length > MAX_LINES);
    expect(long.map(({ path }) => path)).toEqual([]);
  });
});

describe('the tables', () => {
  test('name everything once', () => {
    for (const table of [FORMATS, RELEASES, RENDERERS, CHECK_RENDERERS]) {
      const names = table.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test('have every rule in the report schema', () => {
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/report-1.json'), 'utf8'));
    expect(schema.properties.findings.items.properties.rule.enum).toEqual(Object.keys(RULES));
  });

  test('give commits for every release', () => {
    for (const { commits } of RELEASES) expect(commits.length).toBeGreaterThan(0);
  });
});
