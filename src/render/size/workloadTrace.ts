import { OP_NAMES, Op } from '../../events/batch.js';
import { hex } from '../../events/numbers.js';
import { copiesAt, createCpuMap, type Load, mostCopies } from '../../sizing/load.js';
import { type Chunk, HAS_ORIG, isRequest, OP_MASK, type Workload } from '../../sizing/workload.js';
import { harmlessJson, wellFormed } from '../harmless.js';

/** Bytes of text that are handed on at a time, about. */
const PIECE = 1 << 16;

/**
 * Where the addresses begin that stand for buffers: a trace joins releases with their requests by
 * address, and in a workload no request has one yet.
 */
const FIRST_ADDRESS = 2 ** 48;
const ADDRESS_STEP = 2 ** 18;

/**
 * A workload as a trace of JSON lines, which replays to what the trials saw: releases for buffers that
 * the recorded kernel refused, copies where the load is scaled, and the CPUs that they were given.
 */
export function* workloadTrace(workload: Workload, kernel: string, load: Load): Generator<string> {
  yield* declarations(workload, kernel);
  const names = deviceNames(workload);
  const copies = mostCopies(load);
  const onCpu = createCpuMap(load, workload.cpus);
  const held = new Uint8Array(workload.handles * copies);
  const { at, handle: heldHandle, device: heldDevice, allocSize: heldSize } = workload.held;
  let nextHeld = 0;
  let event = 0;
  let piece = '';

  const tell = (row: object): void => {
    piece += `${harmlessJson(row)}\n`;
  };
  const giveBack = (op: number, handle: number, device: number, size: number): void => {
    for (let copy = 0; copy < copies; copy++) {
      const buffer = handle * copies + copy;
      if (held[buffer] === 0) continue;
      held[buffer] = 0;
      const bytes = op === Op.free ? {} : { alloc_size: size };
      tell({ dev: names[device], op: OP_NAMES[op], ...bytes, tlb_addr: addressOf(buffer) });
    }
  };

  for (const chunk of workload.chunks) {
    for (let n = 0; n < chunk.length; n++, event++) {
      for (; nextHeld < at.length && at[nextHeld] <= event; nextHeld++) {
        giveBack(Op.unmap, heldHandle[nextHeld], heldDevice[nextHeld], heldSize[nextHeld]);
      }
      const op = chunk.op[n] & OP_MASK;
      const handle = chunk.handle[n];
      if (isRequest(op)) {
        for (let copy = 0; copy < copiesAt(load, event); copy++) {
          held[handle * copies + copy] = 1;
          tell({
            cpu: onCpu(chunk.cpu[n]),
            dev: names[chunk.device[n]],
            op: OP_NAMES[op],
            ...requestColumns(chunk, n, op),
            tlb_addr: addressOf(handle * copies + copy),
          });
        }
      } else {
        giveBack(op, handle, chunk.device[n], chunk.allocSize[n]);
      }
      if (piece.length > PIECE) {
        yield piece;
        piece = '';
      }
    }
  }
  yield piece;
}

function addressOf(buffer: number): string {
  return hex(FIRST_ADDRESS + buffer * ADDRESS_STEP);
}

function requestColumns(chunk: Chunk, n: number, op: number): object {
  if (op === Op.alloc) return { size: chunk.size[n] };
  // No more than the low bits matter, but for an address of 0, which is none.
  const beyond = chunk.op[n] & HAS_ORIG && chunk.orig[n] === 0 ? 2 ** 32 : 0;
  return {
    orig_addr: hex(chunk.orig[n] + beyond),
    size: chunk.size[n],
    alloc_size: chunk.allocSize[n],
    alloc_align_mask: hex(chunk.allocAlignMask[n]),
  };
}

function* declarations(workload: Workload, kernel: string): Generator<string> {
  const { pageSize, pools, devices } = workload;
  const names = deviceNames(workload);
  const mask = (value: number): string =>
    value === Number.POSITIVE_INFINITY ? '0xffffffffffffffff' : hex(value);
  yield `${harmlessJson({ trace: 1, kernel: { version: kernel, page_size: pageSize } })}\n`;
  for (const { name, base, nslabs, areas, restricted } of pools) {
    const index = new Array<number>(areas).fill(0);
    const pool = { name: wellFormed(name), base: hex(base), nslabs, areas, index };
    yield `${harmlessJson({ pool: { ...pool, restricted: restricted ? 1 : 0 } })}\n`;
  }
  for (const [n, device] of devices.entries()) {
    if (device.pool < 0) continue;
    const { minAlignMask, segBoundaryMask, dmaMask, pool } = device;
    yield `${harmlessJson({
      device: {
        name: names[n],
        min_align_mask: hex(minAlignMask),
        seg_boundary_mask: mask(segBoundaryMask),
        dma_mask: mask(dmaMask),
        pool: wellFormed(pools[pool].name),
      },
    })}\n`;
  }
}

/** Names that tell devices apart: those of merged traces may have one name, and are not the same device. */
function deviceNames({ devices }: Workload): string[] {
  const count = new Map<string, number>();
  return devices.map(({ name }) => {
    const plain = wellFormed(name);
    const before = count.get(plain) ?? 0;
    count.set(plain, before + 1);
    return before === 0 ? plain : `${plain}#${before + 1}`;
  });
}
