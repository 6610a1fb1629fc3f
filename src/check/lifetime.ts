import { DIR_NAMES, OP_NAMES, Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import {
  addressOf,
  deviceOf,
  dirOf,
  eachLive,
  lineOf,
  nslotsOf,
  opOf,
  sizeOf,
} from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { addFinding, type FindingLog, type Related } from './finding.js';
import type { RuleId } from './rules.js';
import { sizeWords } from './words.js';

function what({ op, recordedAddr }: Outcome): string {
  return `${OP_NAMES[op]} of ${hex(recordedAddr)}`;
}

/** What dma-debug would say of the callers (kernel/dma/debug.c). Hot path: words only for a finding. */
export function createLifetimeCheck(session: Session, log: FindingLog): Observer {
  const { allocations } = session;

  function add(rule: RuleId, outcome: Outcome, message: string, related: Related[]): void {
    addFinding(log, rule, () => ({
      line: outcome.line,
      device: outcome.device.name,
      message,
      address: outcome.recordedAddr,
      related,
    }));
  }

  function mappedAt(number: number): Related {
    const verb = opOf(allocations, number) === Op.alloc ? 'allocated' : 'mapped';
    return { line: lineOf(allocations, number), message: `${verb} here` };
  }

  function checkCaller(outcome: Outcome): void {
    const number = outcome.allocation;
    const size = sizeOf(allocations, number);
    const dir = dirOf(allocations, number);
    if (outcome.size !== size && !Number.isNaN(outcome.size)) {
      add(
        'size-mismatch',
        outcome,
        `${OP_NAMES[outcome.op]} of ${sizeWords(outcome.size)} at ${hex(outcome.recordedAddr)}, which has ${sizeWords(size)}`,
        [mappedAt(number)],
      );
    }
    if (outcome.op === Op.unmap && outcome.dir !== dir) {
      add(
        'dir-mismatch',
        outcome,
        `${OP_NAMES[outcome.op]} ${DIR_NAMES[outcome.dir]} at ${hex(outcome.recordedAddr)}, which was mapped ${DIR_NAMES[dir]}`,
        [mappedAt(number)],
      );
    }
  }

  return {
    onRelease(outcome) {
      if (outcome.op !== Op.unmap && outcome.op !== Op.free) return;
      if (outcome.match === Match.unknown) {
        add('unmatched-unmap', outcome, `${what(outcome)}, which the trace never maps`, []);
      } else if (outcome.match === Match.released) {
        add('double-unmap', outcome, `${what(outcome)}, which was released before`, [
          mappedAt(outcome.allocation),
        ]);
      } else {
        checkCaller(outcome);
      }
    },

    atEnd() {
      const byDevice = new Map<string, { count: number; slots: number; oldest: number }>();
      eachLive(allocations, (number) => {
        const name = session.device(deviceOf(allocations, number)).name;
        const left = byDevice.get(name) ?? { count: 0, slots: 0, oldest: number };
        left.count++;
        left.slots += nslotsOf(allocations, number);
        if (lineOf(allocations, number) < lineOf(allocations, left.oldest)) left.oldest = number;
        byDevice.set(name, left);
      });
      const byAge = [...byDevice].sort(
        ([, a], [, b]) => lineOf(allocations, a.oldest) - lineOf(allocations, b.oldest),
      );
      for (const [device, { count, slots, oldest }] of byAge) {
        addFinding(log, 'leak', () => ({
          line: lineOf(allocations, oldest),
          device,
          message:
            `${count === 1 ? '1 allocation' : `${count} allocations`} (${slots === 1 ? '1 slot' : `${slots} slots`}) still live when` +
            ' the trace ends; the oldest is of this line',
          address: addressOf(allocations, oldest),
          related: [],
        }));
      }
    },
  };
}
