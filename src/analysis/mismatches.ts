import { Recorded } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import { isReproduced, type Observer, type Outcome } from '../replay/outcome.js';

/** A result where the model differs from the trace. Results are hex addresses, `full` or `hang`. */
export interface Mismatch {
  line: number;
  device: string;
  recorded: string;
  replayed: string;
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
      if (isReproduced(outcome)) return;
      first.push({
        line: outcome.line,
        device: outcome.device.name,
        recorded: recordedWord(outcome),
        replayed: replayedWord(outcome),
      });
    },
  };
}

function recordedWord({ recorded, recordedAddr }: Outcome): string {
  if (recorded === Recorded.address) return hex(recordedAddr);
  return recorded === Recorded.hang ? 'hang' : 'full';
}

function replayedWord({ answer, own }: Outcome): string {
  const { address, refusal } = own ?? answer;
  if (refusal === undefined) return hex(address);
  return refusal === 'endless' ? 'hang' : 'full';
}
