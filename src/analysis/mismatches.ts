import { Recorded } from '../events/batch.js';
import type { Observer } from '../replay/outcome.js';

/** A result where the model differs from the trace; an address is undefined where it was refused. */
export interface Mismatch {
  line: number;
  device: string;
  recorded: number | undefined;
  replayed: number | undefined;
}

/** The first mismatches of a replay. */
export interface MismatchWatch extends Observer {
  first: Mismatch[];
}

/** Keeps the first `keep` results that differ from the trace. */
export function watchMismatches(keep: number): MismatchWatch {
  const first: Mismatch[] = [];
  return {
    first,
    onRequest(outcome) {
      if (first.length >= keep || outcome.recorded === Recorded.none) return;
      const { address } = outcome.answer;
      const recorded = outcome.recorded === Recorded.address ? outcome.recordedAddr : undefined;
      const replayed = Number.isNaN(address) ? undefined : address;
      if (recorded === replayed) return;
      first.push({ line: outcome.line, device: outcome.device.name, recorded, replayed });
    },
  };
}
