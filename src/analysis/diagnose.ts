import type { LogFact } from '../events/logFacts.js';
import { createLogOrder } from '../events/logOrder.js';
import type { TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import type { DeviceOverride } from '../replay/geometry.js';
import type { Diagnosis } from './diagnosis.js';
import { createLogKernels } from './logKernels.js';
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
  const told = options.kernel && { ...options.kernel, name: options.kernel.release.name };
  const kernels = createLogKernels(order, told);
  const refusals = createRefusalLog(order, kernels);
  const problems = createProblemLog();

  return {
    see(fact) {
      order.see(fact.time);
      if (fact.kind === 'refusal') refusals.see(fact);
      else if (fact.kind === 'boot') kernels.boot(fact.banner);
      else if (fact.kind === 'kernel') kernels.name(fact.name);
      else if (fact.kind !== 'suppressed') problems.see(fact);
      else if (OF_REFUSALS.test(fact.function)) refusals.suppress(fact.count);
      else if (OF_FAULTS.test(fact.function)) problems.suppress(fact.count);
    },
    finish(path, lines, info) {
      const kernel = kernels.newest();
      const minAlignMask = (device: string | undefined): number | undefined =>
        maskOf(device, options.devices);
      const found = refusals.finish(minAlignMask);
      const ofRelease = releaseProblems(kernel.release, info, found.groups);
      const ofLog = problems.finish(info.pools);
      const leaking = new Set(ofLog.filter(({ id }) => id === LEAK).map(({ device }) => device));
      return {
        path,
        lines,
        kernel: kernel.name,
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

function maskOf(
  device: string | undefined,
  overrides: readonly DeviceOverride[],
): number | undefined {
  const found = overrides.filter(
    ({ matches, minAlignMask }) => minAlignMask !== undefined && matches(device ?? ''),
  );
  return found.at(-1)?.minAlignMask;
}
