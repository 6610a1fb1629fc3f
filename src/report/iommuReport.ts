import { createRecordWatch, type RecordWatch } from '../analysis/iommu/recordWatch.js';
import { type DomainUsage, domainUsage } from '../analysis/iommu/space.js';
import {
  type EffectTotals,
  type MappingUsage,
  watchDmaUsage,
  watchEffects,
  watchIovaUsage,
} from '../analysis/iommu/usage.js';
import { watchColumns } from '../analysis/iommu/watchColumns.js';
import { DMA_CHECKS } from '../check/dma/checks.js';
import { type Finding, KEPT_PER_RULE, type Level } from '../check/finding.js';
import { createIovaCheck } from '../check/iova.js';
import type { RuleId } from '../check/rules.js';
import type { Assumption, Loss, Problem } from '../events/trace.js';
import type { IommuReplay } from '../replay/iommuReplay.js';

/** Schema of an IOMMU trace's report; it changes when a field changes. */
export const IOMMU_REPORT_SCHEMA = 'swiotlb-replay/iommu-report@1';

/** What was read. */
export interface IommuTraceSummary {
  /** As the user gave it. */
  path: string;
  format: string;
  lines: number;
  /** Rows. */
  events: number;
  /** Lines that could not be used. */
  skipped: number;
}

/** A device with its domain, or a domain of an IOVA trace. */
export interface IommuDevice extends DomainUsage {
  name: string;
  /** Bytes. */
  granule: number;
  lazy: boolean;
  /** Null where an IOVA trace does not tell. */
  untrusted: boolean | null;
  mappings: MappingUsage;
  /** Granules in the page table at the end; null for IOVA traces, which have none. */
  granulesMapped: number | null;
}

/** The pool that a dma-iommu trace bounces through. */
export interface BouncePool {
  base: number;
  nslabs: number;
  areas: number;
  used: number;
  usedPeak: number;
}

/** Findings of one rule at one level: a finding may be less bad than its rule. */
export interface FindingCount {
  rule: RuleId;
  level: Level;
  count: number;
}

/** How many findings of a level there are. */
export function countOfLevel(counts: readonly FindingCount[], level: Level): number {
  return counts.reduce((sum, each) => sum + (each.level === level ? each.count : 0), 0);
}

/** How many findings of a rule there are, whatever their level. */
export function countsByRule(counts: readonly FindingCount[]): Map<RuleId, number> {
  const sums = new Map<RuleId, number>();
  for (const { rule, count } of counts) sums.set(rule, (sums.get(rule) ?? 0) + count);
  return sums;
}

/** Line of the first search that the release never ends; undefined where it ends them all. */
export function firstHang({ findings }: Pick<IommuReport, 'findings'>): number | undefined {
  return findings.find(({ rule }) => rule === 'endless-search')?.line;
}

/** Everything that a replay of an IOMMU trace has to say. */
export interface IommuReport {
  trace: IommuTraceSummary;
  kernel: string;
  kernelReason: string | undefined;
  pageSize: number;
  cpus: number;
  devices: IommuDevice[];
  /** Null for IOVA traces, as are its effects. */
  pool: BouncePool | null;
  effects: EffectTotals | null;
  /** The first of each rule and level; `counts` has all. */
  findings: Finding[];
  counts: FindingCount[];
  /** Rows about mappings that the model does not have, and so not replayed. */
  notReplayed: number;
  /** Rows that record anything, and of those what this release does not reproduce (bytes that leak aside). */
  record: Pick<RecordWatch, 'recorded' | 'mismatches' | 'first'>;
  assumptions: Assumption[];
  losses: Loss[];
  problems: Problem[];
}

/** Watches a replay for its report. */
export interface IommuReportWatch {
  /** To be called after the last row. */
  report(
    trace: IommuTraceSummary,
    kernelReason: string | undefined,
    told: Pick<IommuReport, 'assumptions' | 'losses' | 'problems'>,
  ): IommuReport;
}

/** The first findings of each rule and level, all counted. */
interface Findings {
  kept: Finding[];
  counts: FindingCount[];
}

/** The rules for mappings, and for what an IOVA trace allocates. */
function watchFindings(replay: IommuReplay): Findings {
  const found: Findings = { kept: [], counts: [] };
  const tell = (finding: Finding): void => {
    const { rule, level } = finding;
    let entry = found.counts.find((each) => each.rule === rule && each.level === level);
    if (entry === undefined) {
      entry = { rule, level, count: 0 };
      found.counts.push(entry);
    }
    if (++entry.count <= KEPT_PER_RULE) found.kept.push(finding);
  };
  if (replay.kind === 'iova') {
    replay.session.observers.push(createIovaCheck(tell, replay.trace.domains));
    return found;
  }
  const { session } = replay;
  for (const check of DMA_CHECKS) session.observers.push(check(session, tell));
  return found;
}

/** What only one kind of trace has. */
interface KindWatch {
  devices(): IommuDevice[];
  pool(): BouncePool | null;
  effects: EffectTotals | null;
}

function watchIova({ session, trace }: IommuReplay & { kind: 'iova' }): KindWatch {
  const usage = watchIovaUsage(session);
  return {
    devices: () =>
      session.domains.map((domain, n) => ({
        name: trace.domains[n].name,
        granule: domain.setup.granule,
        lazy: domain.setup.lazy,
        untrusted: null,
        mappings: usage[n],
        granulesMapped: null,
        ...domainUsage(domain, usage[n].lastAllowed),
      })),
    pool: () => null,
    effects: null,
  };
}

function watchDma({ session }: IommuReplay & { kind: 'dma-iommu' }): KindWatch {
  const usage = watchDmaUsage(session);
  const effects = watchEffects(session);
  const { devices, system } = session.player;
  const { pool } = system.allocator;
  return {
    devices: () =>
      devices.map(({ name, domain, table, untrusted }, n) => ({
        name,
        granule: table.granule,
        lazy: domain.setup.lazy,
        untrusted,
        mappings: usage[n],
        granulesMapped: table.mapped,
        ...domainUsage(domain, usage[n].lastAllowed),
      })),
    pool: () => ({
      base: pool.base,
      nslabs: pool.nslabs,
      areas: pool.areas,
      used: system.allocator.used,
      usedPeak: effects.slotsPeak,
    }),
    effects,
  };
}

/** Watches everything that the report of a replay tells. */
export function watchForIommuReport(replay: IommuReplay): IommuReportWatch {
  const record = createRecordWatch(20);
  const findings = watchFindings(replay);
  const kind = replay.kind === 'iova' ? watchIova(replay) : watchDma(replay);
  let notReplayed = 0;
  watchColumns(replay, false, record.onRow);
  if (replay.kind === 'dma-iommu') {
    replay.session.observers.push({
      onRow({ played }) {
        if (played.skipped) notReplayed++;
      },
    });
  }
  const { pageSize, cpus } = replay.trace.kernel;
  return {
    report: (trace, kernelReason, told) => ({
      trace,
      kernel: replay.release.name,
      kernelReason,
      pageSize,
      cpus,
      devices: kind.devices(),
      pool: kind.pool(),
      effects: kind.effects,
      findings: findings.kept,
      counts: findings.counts,
      notReplayed,
      record,
      ...told,
    }),
  };
}
