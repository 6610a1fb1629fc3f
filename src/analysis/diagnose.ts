import type { LogFact } from '../events/logFacts.js';
import { createLogOrder } from '../events/logOrder.js';
import type { TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import { placeRelease } from '../kernel/select.js';
import type { DeviceOverride } from '../replay/geometry.js';
import type { Diagnosis } from './diagnosis.js';
import { createProblemLog } from './problemLog.js';
import { createRefusalLog } from './refusalLog.js';
import { releaseProblems } from './releaseProblems.js';

/** What the user knows better than the log. */
export interface DiagnoseOptions {
  /** Whose allocator it was, and why; the log names it where undefined. */
  kernel?: { release: Release; reason: string | undefined } | undefined;
  devices: readonly DeviceOverride[];
}

/** Gathers facts as they come, in memory that does not grow with the log. */
export interface Diagnoser {
  see(fact: LogFact): void;
  /** @param info what the boot log said, complete */
  finish(path: string, lines: number, info: TraceInfo): Diagnosis;
}

/** Functions whose suppressed messages are refusals, and those whose are faults. */
const OF_REFUSALS = /swiotlb/;
const OF_FAULTS = /dmar|amd_iommu|arm_smmu|iommu/;

/** Mappings that are live when a driver goes. */
const LEAK = 'dma-debug-leak';

/** Diagnoses a kernel log from its facts. */
export function createDiagnoser(options: DiagnoseOptions): Diagnoser {
  const order = createLogOrder();
  const refusals = createRefusalLog(order);
  const problems = createProblemLog();
  let named: string | undefined;

  return {
    see(fact) {
      order.see(fact.time);
      if (fact.kind === 'refusal') refusals.see(fact);
      else if (fact.kind === 'kernel') named = fact.name;
      else if (fact.kind !== 'suppressed') problems.see(fact);
      else if (OF_REFUSALS.test(fact.function)) refusals.suppress(fact.count);
      else if (OF_FAULTS.test(fact.function)) problems.suppress(fact.count);
    },
    finish(path, lines, info) {
      const kernel = options.kernel ?? placed(info.kernel, named);
      const minAlignMask = (device: string | undefined): number | undefined =>
        maskOf(device, options.devices);
      const found = refusals.finish(kernel.release, minAlignMask);
      const ofRelease = releaseProblems(kernel.release, info, found.groups);
      const ofLog = problems.finish(info.pools);
      const leaking = new Set(ofLog.filter(({ id }) => id === LEAK).map(({ device }) => device));
      return {
        path,
        lines,
        kernel: kernel.release?.name ?? versionIn(info.kernel) ?? named,
        kernelReason: kernel.reason,
        pools: info.pools,
        ...found,
        groups: found.groups.map((group) =>
          group.verdict === 'full' && leaking.has(group.device)
            ? { ...group, reason: `${group.reason}; dma-debug says that its driver leaks mappings` }
            : group,
        ),
        totals: { ...found.totals, unlisted: found.totals.unlisted + problems.unlisted() },
        problems: [...ofRelease, ...ofLog],
        assumptions: info.assumptions,
      };
    },
  };
}

/** The release that a log names, by its banner or else by a warning's line about the CPU. */
function placed(
  banner: string | undefined,
  named: string | undefined,
): { release: Release | undefined; reason: string | undefined } {
  const name = banner ?? named;
  if (name === undefined) {
    return { release: undefined, reason: 'the log does not name it; --kernel does' };
  }
  const placement = placeRelease(name);
  const where = banner === undefined ? 'named by a warning in the log' : 'the one that booted';
  const why = placement?.reason === undefined ? '' : `, ${placement.reason}`;
  return { release: placement?.release, reason: `${where}${why}` };
}

/** The version in a banner, for kernels that are none that is known. */
function versionIn(banner: string | undefined): string | undefined {
  return banner?.split(' ')[2];
}

function maskOf(
  device: string | undefined,
  overrides: readonly DeviceOverride[],
): number | undefined {
  const found = overrides.filter(
    ({ matches, minAlignMask }) => minAlignMask !== undefined && matches(device ?? ''),
  );
  return found.at(-1)?.minAlignMask;
}
