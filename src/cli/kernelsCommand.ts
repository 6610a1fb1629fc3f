import type { Command } from 'commander';
import type { Release, ReleaseKind } from '../kernel/release.js';
import { RELEASES } from '../kernel/releases.js';
import { lastTag } from '../kernel/select.js';
import { rangeWords, rowWords, STABLE_RANGES } from '../kernel/stable.js';
import { releases } from '../library/releases.js';
import { columns, wrap } from '../render/columns.js';
import { iommuKernelsJson, iommuKernelsText } from './iommu/kernels.js';
import { renderOptions } from './output.js';

/** The groups of the text, in their order. */
const GROUPS: readonly { kind: ReleaseKind; heading: string }[] = [
  { kind: 'mainline', heading: 'Mainline: each row holds until the next' },
  { kind: 'stable', heading: 'Stable: rows that are no mainline tag' },
  { kind: 'patched', heading: 'Patched: v6.8 with the commits up to and including the named one' },
];

/** `kernels`: the table of releases. */
export function kernelsCommand(command: Command): void {
  command
    .description(
      'List the releases whose allocator can be replayed, how they differ, and which stable version\n' +
        'has the allocator of which row; then the same of IOVA allocators and dma-iommu. --kernel also\n' +
        'takes what `uname -r` prints.',
    )
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      process.stdout.write(options.json ? kernelsJson() : kernelsText());
    });
}

function kernelsText(): string {
  const { width } = renderOptions(undefined);
  const rows = RELEASES.map((release) => ({ release, name: rowName(release) }));
  const longest = Math.max(...rows.map(({ name }) => name.length));
  const groups = GROUPS.map(({ kind, heading }) => [
    heading,
    ...rows
      .filter(({ release }) => release.kind === kind)
      .flatMap(({ release: { summary, commits }, name }) => [
        ...wrap(`  ${name.padEnd(longest)}  `, summary, width),
        ...commits.flatMap(({ id, subject }) =>
          wrap(`${' '.repeat(longest + 6)}${id.padEnd(12)}  `, subject, width),
        ),
      ]),
  ]);
  const [mainline, stable, patched] = groups.map((lines) => lines.join('\n'));
  const sections = [mainline, stable, rangesText(), patched, ...iommuKernelsText(width)];
  return `${sections.join('\n\n')}\n`;
}

/** A row's name, and the last tag that it stands for. */
function rowName(release: Release): string {
  const last = release.kind === 'mainline' ? lastTag(release) : release.name;
  return last === release.name ? release.name : `${release.name} .. ${last}`;
}

function rangesText(): string {
  const rows = STABLE_RANGES.map((range) => {
    const { series, checked } = range;
    const upTo = checked === undefined ? '' : ` (checked up to ${series}.${checked})`;
    return [rangeWords(range), rowWords(range) + upTo];
  });
  return [
    "Stable versions: the rows that they have; a series that is not here has its tag's throughout",
    ...columns(rows),
  ].join('\n');
}

function kernelsJson(): string {
  const stable = STABLE_RANGES.map(({ series, first, last, checked, row, with: backports }) => ({
    first: `${series}.${first}`,
    last: last === undefined ? null : `${series}.${last}`,
    checked: checked === undefined ? null : `${series}.${checked}`,
    row: row.name,
    with: backports,
  }));
  const iommu = iommuKernelsJson();
  return `${JSON.stringify({ schema: 'swiotlb-replay/kernels@1', kernels: releases(), stable, iommu })}\n`;
}
