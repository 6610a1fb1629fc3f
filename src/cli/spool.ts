import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../events/errors.js';
import type { Output } from './output.js';

/** Text that waits for what must stand in front of it. */
export interface Spool {
  /** Takes text at once, so that who hands it on in the middle of a batch need not wait. */
  write(text: string): void;
  /** Hands on all that was written. */
  copyTo(output: Output): Promise<void>;
  /** Gives back memory and disk. */
  discard(): void;
}

/** Characters that are kept in memory; what is longer goes to a file. */
const IN_MEMORY = 32 << 20;

/** Characters that are written at a time. */
const CHUNK = 1 << 20;

/** An empty spool. It leaves no file behind, whatever happens to the process. */
export function createSpool(inMemory = IN_MEMORY): Spool {
  let pieces: string[] = [];
  let gathered = '';
  let kept = 0;
  let fd = -1;

  function flush(): void {
    if (gathered === '') return;
    if (fd < 0 && kept + gathered.length <= inMemory) {
      pieces.push(gathered);
      kept += gathered.length;
    } else {
      try {
        if (fd < 0) {
          fd = openHidden();
          for (const piece of pieces) writeAll(fd, piece);
          pieces = [];
        }
        writeAll(fd, gathered);
      } catch (error) {
        throw new UserError(`${tmpdir()}: cannot be written: ${(error as Error).message}`);
      }
    }
    gathered = '';
  }

  return {
    write(text) {
      gathered += text;
      if (gathered.length >= CHUNK) flush();
    },
    async copyTo(output) {
      flush();
      for (const piece of pieces) await output.write(piece);
      if (fd >= 0) await copyFile(fd, output);
    },
    discard() {
      pieces = [];
      gathered = '';
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}

/** A file that has no name any more. */
function openHidden(): number {
  const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
  try {
    return openSync(join(folder, 'spool'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

async function copyFile(fd: number, output: Output): Promise<void> {
  const bytes = Buffer.alloc(CHUNK);
  const decoder = new TextDecoder();
  let at = 0;
  for (;;) {
    const count = readSync(fd, bytes, 0, CHUNK, at);
    if (count === 0) return;
    at += count;
    await output.write(decoder.decode(bytes.subarray(0, count), { stream: true }));
  }
}
