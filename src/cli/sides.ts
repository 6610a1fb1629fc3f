import { type Comparison, createComparison } from '../analysis/comparison.js';
import type { FindingWatch } from '../check/finding.js';
import { UserError } from '../events/errors.js';
import type { TraceInfo } from '../events/trace.js';
import type { Session } from '../replay/session.js';
import { type DiffReport, diffReports } from '../report/diffReport.js';
import { compareFindings, type FindingComparison } from '../report/findingComparison.js';
import type { SideReport } from '../report/report.js';
import type { SideWatch } from '../report/watch.js';
import { type BothSidesOptions, type ReplayOptions, type SideOptions, sideOf } from './options.js';
import { chooseReleases, type ReleaseChoice, type Replayed, type Variant } from './run.js';

/** Options of a command that replays a trace on two sides. */
export type SidesOptions = ReplayOptions & BothSidesOptions;

/** Differences, and findings of a rule, that a result lists. */
const KEPT = 1000;

/** Watches both sides; the new one, whose batches come first, is attached first. */
export interface Sides<W> {
  comparison: Comparison;
  findings: FindingComparison;
  attach: (session: Session) => W;
}

/** What watches two sides: a comparison, and for the report of each side `watch`. */
export function watchSides<W>(
  watch: (session: Session, watchFinding: FindingWatch) => W,
): Sides<W> {
  const sessions: Session[] = [];
  const comparison = createComparison(KEPT, () => ({ new: sessions[0], old: sessions[1] }));
  const findings = compareFindings(KEPT);
  const attach = (session: Session): W => {
    const side = sessions.push(session) === 1 ? 'new' : 'old';
    session.observers.push(comparison[side], findings[side].observer);
    return watch(session, findings[side].watch);
  };
  return { comparison, findings, attach };
}

/**
 * Lets two sides be replayed as one until they part.
 * @returns what the replay tells that by
 */
export function watchAsOne({ comparison, findings }: Sides<SideWatch>): () => void {
  const set = (isOne: boolean): void => {
    comparison.isOne = isOne;
    findings.isOne = isOne;
  };
  set(true);
  return () => set(false);
}

/** Puts two sides that were replayed next to each other. */
export function diffOfSides<R extends SideReport>(
  { runs, info, trace }: Replayed<SideWatch<R>>,
  { comparison, findings }: Sides<SideWatch<R>>,
  options: SidesOptions,
): DiffReport<R> {
  findings.finish();
  const [fresh, old] = runs.map(({ watch }) => watch.report(trace, info, undefined));
  if (comparison.isOne) {
    // Nothing was replayed on the new side: it is the old one, but for what the release has searched.
    const { kernel } = fresh;
    const summary = { ...old.summary, slotsSearched: fresh.summary.slotsSearched };
    Object.assign(fresh, old, { kernel, summary });
  }
  const names = {
    old: options.oldSearch === options.newSearch ? 'old' : (options.oldSearch ?? 'old'),
    new: options.oldSearch === options.newSearch ? 'new' : (options.newSearch ?? 'new'),
  };
  return diffReports(old, fresh, comparison, findings, names);
}

/** Whether anything sets a side apart. */
export function hasOwn({ release, pool, swiotlb, search }: SideOptions): boolean {
  return release !== undefined || pool.length > 0 || swiotlb !== undefined || search !== undefined;
}

/**
 * The new side's release and the old side's, in that order.
 * @throws UserError where the options do not say what is compared
 */
export function chooseSides(options: SidesOptions, info: TraceInfo): ReleaseChoice {
  if (options.kernel === undefined && (options.old === undefined) !== (options.new === undefined)) {
    throw new UserError(
      'which releases are compared? Give --old and --new, or --kernel for the side without one',
    );
  }
  const sides = [sideOf(options, 'new'), sideOf(options, 'old')];
  const [fresh, old] = sides.map(({ release }) => releaseOf(release ?? options.kernel, info));
  if (!sides.some(hasOwn)) {
    throw new UserError(
      'what is compared? Give --old and --new, or pools: --new-swiotlb 65536,8, --new-pool nslabs=65536',
    );
  }
  const variants = sides.map((side) => variantOf(side, options));
  return { releases: [fresh, old], variants, reason: undefined, elect: false };
}

function releaseOf(name: string | undefined, info: TraceInfo): ReleaseChoice['releases'][0] {
  const { releases, elect } = chooseReleases(name, info);
  if (elect) {
    throw new UserError('the trace does not name its kernel: give --old and --new, or --kernel');
  }
  return releases[0];
}

/** A side's pools come after those of both, and so on top. */
export function variantOf({ pool, swiotlb, search }: SideOptions, options: ReplayOptions): Variant {
  return {
    pool: pool.length > 0 ? [...options.pool, ...pool] : options.pool,
    ...(swiotlb !== undefined && { swiotlb }),
    ...(search !== undefined && { search }),
  };
}
