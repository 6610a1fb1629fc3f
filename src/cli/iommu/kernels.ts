import type { IommuRelease } from '../../kernel/iommuRelease.js';
import { IOMMU_RELEASES } from '../../kernel/iommuReleases.js';
import { lastIommuTag } from '../../kernel/iommuSelect.js';
import type { ReleaseKind } from '../../kernel/release.js';
import { wrap } from '../../render/columns.js';

/** The groups of the text, in their order. */
const GROUPS: readonly { kind: ReleaseKind; heading: string }[] = [
  { kind: 'mainline', heading: 'Behind an IOMMU, mainline: IOVA allocator and dma-iommu' },
  { kind: 'stable', heading: 'Behind an IOMMU, stable: this version of the series and later ones' },
  {
    kind: 'patched',
    heading: 'Behind an IOMMU, patched: v5.14 with the first patches of August 2021',
  },
];

/** A row's name, and the last tag that it stands for. */
function rowName(row: IommuRelease): string {
  const last = row.kind === 'mainline' ? lastIommuTag(row) : row.name;
  return last === row.name ? row.name : `${row.name} .. ${last}`;
}

/** The rows of the table of IOMMU generations in words, a section per kind. */
export function iommuKernelsText(width: number): string[] {
  const longest = Math.max(...IOMMU_RELEASES.map((row) => rowName(row).length));
  const sections = GROUPS.map(({ kind, heading }) => {
    const rows = IOMMU_RELEASES.filter((row) => row.kind === kind);
    return [heading, ...rows.flatMap((row) => rowLines(row, longest, width))].join('\n');
  });
  const large =
    'NAME+large-granules is any of them as if IOMMU pages larger than PAGE_SIZE were allowed, as' +
    ' proposed in August 2021; all released kernels stop at boot there.';
  return [...sections, wrap('', large, width).join('\n')];
}

function rowLines(row: IommuRelease, longest: number, width: number): string[] {
  return [
    ...wrap(`  ${rowName(row).padEnd(longest)}  `, row.summary, width),
    // A patched row has the commits of those before it too.
    ...(row.kind === 'patched' ? row.commits.slice(-1) : row.commits).flatMap(({ id, subject }) =>
      wrap(`${' '.repeat(longest + 6)}${id.padEnd(12)}  `, subject, width),
    ),
  ];
}

/** Policies as JSON has them: a function by what it does, and no end as null. */
function policyValue(value: unknown): unknown {
  if (typeof value === 'function') return value.name;
  if (value === Number.POSITIVE_INFINITY) return null;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, policyValue(each)]));
}

/** The table for scripts: what sets each row apart, by name of the policy. */
export function iommuKernelsJson(): unknown[] {
  return IOMMU_RELEASES.map((row) => {
    const { name, kind, summary, commits, swiotlb, iova, dma } = row;
    const isMainline = kind === 'mainline';
    return {
      name,
      kind,
      summary,
      commits,
      first: kind === 'patched' ? null : name,
      last: isMainline ? lastIommuTag(row) : null,
      swiotlb: swiotlb.name,
      iova: policyValue(iova),
      dmaIommu: policyValue(dma),
    };
  });
}
