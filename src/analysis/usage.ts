import { Op } from '../events/batch.js';
import { deviceOf, nslotsOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';

/** What one device did to its pool. */
export interface DeviceUsage {
  name: string;
  /** Bytes of the largest map that the release promises it (swiotlb_max_mapping_size()). */
  maxMappingSize: number;
  maps: number;
  unmaps: number;
  failed: number;
  /** Slots that it holds at the end, and the most that it ever held. */
  liveSlots: number;
  peakSlots: number;
  /** Live allocations at the end. */
  live: number;
  /** Bytes asked for in requests that were served. */
  bytes: number;
}

/** Usage per device. */
export interface UsageWatch extends Observer {
  /** Devices with events, in the order of their first. */
  devices: DeviceUsage[];
}

/** Counts what each device asks for and holds. */
export function watchUsage(session: Session): UsageWatch {
  const byNumber: DeviceUsage[] = [];
  const devices: DeviceUsage[] = [];

  function usageOf(outcome: Outcome): DeviceUsage {
    const known = byNumber[outcome.deviceNumber];
    if (known !== undefined) return known;
    const usage: DeviceUsage = {
      name: outcome.device.name,
      maxMappingSize: session.options.release.maxMappingSize(outcome.device.minAlignMask),
      maps: 0,
      unmaps: 0,
      failed: 0,
      liveSlots: 0,
      peakSlots: 0,
      live: 0,
      bytes: 0,
    };
    byNumber[outcome.deviceNumber] = usage;
    devices.push(usage);
    return usage;
  }

  return {
    devices,
    onRequest(outcome) {
      const usage = usageOf(outcome);
      usage.maps++;
      if (outcome.allocation < 0) {
        usage.failed++;
        return;
      }
      usage.live++;
      usage.bytes += outcome.size;
      usage.liveSlots += outcome.answer.plan.nslots;
      if (usage.liveSlots > usage.peakSlots) usage.peakSlots = usage.liveSlots;
    },
    onRelease(outcome) {
      const isCall = outcome.op === Op.unmap || outcome.op === Op.free;
      if (isCall) usageOf(outcome).unmaps++;
      if (outcome.match !== Match.live) return;
      // The slots count for who took them, whichever device gives them back.
      const { allocations } = session;
      const owner = byNumber[deviceOf(allocations, outcome.allocation)];
      owner.live--;
      owner.liveSlots -= nslotsOf(allocations, outcome.allocation);
    },
  };
}
