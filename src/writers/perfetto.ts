import { CHECKS } from '../check/check.js';
import { createFindingLog, type Finding } from '../check/finding.js';
import type { RuleId } from '../check/rules.js';
import { sizeWords } from '../check/words.js';
import { DIR_NAMES, OP_NAMES, Recorded } from '../events/batch.js';
import { harmlessJson, wellFormed } from '../render/harmless.js';
import { dirOf, eachLive, nslotsOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { Pool } from '../swiotlb/pool.js';
import { hexOf } from './text.js';

/** What of a replay is written, and under which names. */
export interface PerfettoView {
  deviceName(device: number): string;
  poolName(name: string): string;
  origAddr(address: number): number;
  bounceAddr(address: number): number;
  takesDevice(device: number): boolean;
  /** Where an event stands to the wanted range; asked once for each event, in their order. */
  standing(line: number, time: number): 'before' | 'within' | 'behind';
  /** Messages of findings, which name devices and addresses as the trace has them. */
  withMessages: boolean;
}

/** A picture in the making. */
export interface Picture {
  /** To be attached to the session, in this order. */
  observers: Observer[];
  /** Nothing was in the range. */
  isEmpty(): boolean;
}

/** Processes of the picture: pools, then a process for each device. */
const POOLS = 1;
const FIRST_DEVICE = 10;

/** Threads of a device: its findings, then lanes in which one mapping lies behind the other. */
const FINDINGS = 1;
const FIRST_LANE = 10;

/** A mapping that is drawn when it ends. */
interface Open {
  start: number;
  lane: number;
  device: number;
  name: string;
  args: Record<string, unknown>;
}

/** What is drawn of a device. */
interface Drawn {
  slots: number;
  lanes: number;
  freeLanes: number[];
}

/**
 * Writes a replay in the JSON trace-event format, which ui.perfetto.dev and chrome://tracing open, while
 * it runs: counters of pools, areas and devices, a slice for each mapping, findings as instants. One
 * microsecond an event where the trace tells no times, and one for each tick of a counter: times that
 * are whole numbers count something, and no clock prints whole seconds alone.
 * @param write told the text, piece by piece
 */
export function watchForPerfetto(
  session: Session,
  view: PerfettoView,
  write: (text: string) => void,
): Picture {
  const { allocations } = session;
  const open: (Open | undefined)[] = [];
  const drawn: (Drawn | undefined)[] = [];
  let clock = 0;
  /** Microseconds that 1 in a time means; undecided while all times are 0. */
  let unit: number | undefined;
  let begin = Number.NaN;
  let isWithin = false;
  let isOver = false;
  let pieces = 0;

  function emit(event: Record<string, unknown>): void {
    write(`${pieces++ === 0 ? HEAD : ',\n'}${harmlessJson(event)}`);
  }

  function name(kind: string, pid: number, text: string, tid?: number): void {
    emit({
      ph: 'M',
      name: kind,
      pid,
      ...(tid !== undefined && { tid }),
      args: { name: wellFormed(text) },
    });
  }

  function count(pid: number, what: string, slots: number): void {
    emit({ ph: 'C', pid, name: what, ts: clock, args: { slots } });
  }

  /** The device's process; named when it is first needed. */
  function draw(device: number): Drawn {
    const known = drawn[device];
    if (known !== undefined) return known;
    const fresh = { slots: 0, lanes: 0, freeLanes: [] };
    drawn[device] = fresh;
    name('process_name', FIRST_DEVICE + device, view.deviceName(device));
    name('thread_name', FIRST_DEVICE + device, 'findings', FINDINGS);
    return fresh;
  }

  function takeLane(device: number, drawing: Drawn): number {
    const free = drawing.freeLanes.pop();
    if (free !== undefined) return free;
    const lane = FIRST_LANE + drawing.lanes++;
    name('thread_name', FIRST_DEVICE + device, `mappings ${drawing.lanes}`, lane);
    return lane;
  }

  /** Goes on to an event. The clock never goes back, though calls may stand in another order. */
  function tick({ line, time }: Outcome): void {
    if (time > 0) unit ??= Number.isInteger(time) ? 1 : 1e6;
    const at = Number.isNaN(time) ? clock + 1 : Math.round(time * (unit ?? 1e6) * 1e3) / 1e3;
    const standing = view.standing(line, time);
    isWithin = standing === 'within';
    if (standing === 'behind') closeAll();
    clock = Math.max(clock, at);
    if (isWithin && Number.isNaN(begin)) {
      begin = clock;
      name('process_name', POOLS, `swiotlb of ${session.options.release.name}`);
    }
  }

  function countPool(pool: Pool | undefined, slot: number): void {
    const allocator = session.allocators.find(({ pools }) => pool && pools.includes(pool));
    if (!isWithin || isOver || pool === undefined || allocator === undefined) return;
    const poolName = view.poolName(pool.name);
    count(POOLS, `${poolName}: slots`, allocator.used);
    if (pool.areas === 1) return;
    const area = Math.floor(slot / pool.areaNslabs);
    count(POOLS, `${poolName}: area ${area}`, pool.areaUsed[area] | 0);
  }

  function countDevice(device: number, change: number): void {
    const drawing = draw(device);
    drawing.slots += change;
    if (isWithin && !isOver) count(FIRST_DEVICE + device, 'slots', drawing.slots);
  }

  function instant(device: number, what: string, args: Record<string, unknown>): void {
    const pid = FIRST_DEVICE + device;
    emit({ ph: 'i', s: 't', pid, tid: FINDINGS, name: what, ts: clock, args });
  }

  function see(rule: RuleId, { line, message, level }: Finding, device: number | undefined): void {
    const args = { line, level, ...(view.withMessages && { message: wellFormed(message) }) };
    if (device === undefined) {
      emit({ ph: 'i', s: 'g', pid: POOLS, tid: FINDINGS, name: rule, ts: clock, args });
    } else {
      draw(device);
      instant(device, rule, args);
    }
  }

  function start(outcome: Outcome): void {
    const { allocation, deviceNumber: device, op, size, answer, line, origAddr } = outcome;
    const drawing = draw(device);
    open[allocation] = {
      start: clock,
      lane: takeLane(device, drawing),
      device,
      name: `${OP_NAMES[op]} ${sizeWords(size)}`,
      args: {
        line,
        size,
        slot: answer.slot,
        slots: answer.plan.nslots,
        ...(origAddr > 0 && { orig_addr: hexOf(view.origAddr(origAddr)) }),
        tlb_addr: hexOf(view.bounceAddr(answer.address)),
        dir: DIR_NAMES[dirOf(allocations, allocation)],
      },
    };
  }

  function close(allocation: number, isLive: boolean): void {
    const one = open[allocation];
    if (one === undefined) return;
    open[allocation] = undefined;
    drawn[one.device]?.freeLanes.push(one.lane);
    if (isOver || Number.isNaN(begin)) return;
    const ts = Math.max(one.start, begin);
    emit({
      ph: 'X',
      pid: FIRST_DEVICE + one.device,
      tid: one.lane,
      name: one.name,
      ts,
      dur: Math.round((clock - ts) * 1e3) / 1e3,
      args: isLive ? { ...one.args, live: true } : one.args,
    });
  }

  /** Draws what is live where the picture ends. */
  function closeAll(): void {
    if (isOver) return;
    eachLive(allocations, (number) => close(number, true));
    isOver = true;
  }

  const log = createFindingLog((rule, kept, describe) => {
    if (!isWithin || isOver) return;
    if (findingDevice !== undefined && !view.takesDevice(findingDevice)) return;
    const finding = kept ?? describe();
    see(rule, finding, findingDevice);
  });
  let findingDevice: number | undefined;

  /** Before the checks, so that what they find is at its event. */
  const first: Observer = {
    onRequest(outcome) {
      tick(outcome);
      findingDevice = outcome.deviceNumber;
    },
    onRelease(outcome) {
      // What the replay gives back by itself has the place of the request.
      if (outcome.recorded < Recorded.full) tick(outcome);
      findingDevice = outcome.deviceNumber;
    },
    atEnd() {
      findingDevice = undefined;
    },
  };
  const last: Observer = {
    onRequest(outcome) {
      const { answer, allocation, deviceNumber } = outcome;
      if (!view.takesDevice(deviceNumber)) return;
      countPool(answer.pool, answer.slot);
      if (allocation < 0) {
        if (isWithin && !isOver) {
          draw(deviceNumber);
          instant(deviceNumber, 'refused', { line: outcome.line, size: outcome.size });
        }
        return;
      }
      start(outcome);
      countDevice(deviceNumber, answer.plan.nslots);
    },
    onRelease({ allocation, released, match }) {
      countPool(released.pool, released.slot);
      if (match !== Match.live || open[allocation] === undefined) return;
      countDevice((open[allocation] as Open).device, -nslotsOf(allocations, allocation));
      close(allocation, false);
    },
    atEnd() {
      closeAll();
      write(pieces === 0 ? `${HEAD}]}\n` : '\n]}\n');
    },
  };
  const checks = CHECKS.map((check) => check(session, log));
  return { observers: [first, ...checks, last], isEmpty: () => pieces === 0 };
}

const HEAD = '{"displayTimeUnit":"ns","traceEvents":[\n';
