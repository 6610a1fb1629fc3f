import { once } from 'node:events';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { constants as osConstants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { supportsColor } from 'chalk';
import { UserError } from '../events/errors.js';
import type { RenderOptions } from '../render/table.js';
import { showsBlocks } from './terminal.js';

/** Somewhere to write results to. */
export interface Output {
  write(text: string): Promise<void>;
  /** Makes what was written stand. */
  done(): Promise<void>;
  /** Takes back what can be taken back. */
  abandon(): void;
}

/** Bytes gathered before a write: large enough that a report of many small pieces costs few calls. */
const CHUNK = 1 << 16;

/** Characters of a file's name in the name of its draft; each may take four of the 255 bytes that a name has. */
const MOST_OF_NAME = 50;

/** What ends the program; what it has begun to write is taken back first. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Standard output, or the file of `-o`, which appears complete or not at all. */
export function openOutput(file: string | undefined): Output {
  return file === undefined ? stdoutOutput() : fileOutput(file);
}

function stdoutOutput(): Output {
  let gathered = '';
  async function flush(): Promise<void> {
    const text = gathered;
    gathered = '';
    if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
  }
  return {
    async write(text) {
      gathered += text;
      if (gathered.length >= CHUNK) await flush();
    },
    done: flush,
    abandon() {},
  };
}

function fileOutput(file: string): Output {
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw new UserError(`${file}: cannot be written: ${(error as Error).message}`);
    }
  };
  const target = attempt(() => writeTarget(file));
  const draft = target.replaceable ? draftBeside(target.path) : undefined;
  let fd = -1;
  let isBegun = false;
  let gathered = '';
  const abandon = (): void => {
    if (fd >= 0) closeSync(fd);
    fd = -1;
    if (isBegun && draft !== undefined) rmSync(draft, { force: true });
    for (const signal of SIGNALS) process.off(signal, interrupted);
  };
  const interrupted = (signal: NodeJS.Signals): never => {
    abandon();
    process.exit(128 + osConstants.signals[signal]);
  };
  const open = (): void => {
    // No earlier than needed: while a long replay computes, no signal would be heard. But before there is
    // a draft that a signal could leave behind.
    for (const signal of SIGNALS) process.on(signal, interrupted);
    fd = draft === undefined ? openSync(target.path, 'w') : openSync(draft, 'wx');
    isBegun = true;
    if (target.mode !== undefined) fchmodSync(fd, target.mode);
  };
  const flush = (): void => {
    const bytes = Buffer.from(gathered);
    gathered = '';
    if (fd < 0) open();
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  };
  return {
    async write(text) {
      gathered += text;
      if (gathered.length < CHUNK) return;
      attempt(flush);
      // Signals are heard only between two turns of the event loop.
      await setImmediate();
    },
    async done() {
      attempt(() => {
        flush();
        closeSync(fd);
        fd = -1;
        if (draft !== undefined) renameSync(draft, target.path);
      });
      abandon();
    },
    abandon,
  };
}

/** What `-o` names, behind links. */
interface WriteTarget {
  path: string;
  /** Whether a finished file can take its place. */
  replaceable: boolean;
  /** Permissions of the file that is replaced: who could not read the old one shall not read the new. */
  mode?: number;
}

function writeTarget(file: string): WriteTarget {
  if (file === '') throw new Error('it is no file name');
  // A link that leads nowhere is replaced itself: what it names is nobody's choice that can be seen.
  if (!existsSync(file)) {
    accessSync(dirname(file), constants.W_OK);
    return { path: file, replaceable: true };
  }
  accessSync(file, constants.W_OK);
  const stat = statSync(file);
  if (stat.isDirectory()) throw new Error('it is a directory');
  const path = realpathSync(file);
  return stat.isFile()
    ? { path, replaceable: true, mode: stat.mode & 0o777 }
    : { path, replaceable: false };
}

/** Where a file is written until it is whole: in its folder, by a name that is never too long. */
function draftBeside(path: string): string {
  const name = basename(path).slice(0, MOST_OF_NAME);
  return join(dirname(path), `.${name}.${process.pid}.tmp`);
}

/** What text for this output may look like: as wide as the terminal within reason, in its colours. */
export function renderOptions(file: string | undefined): RenderOptions {
  const columns = (file === undefined ? process.stdout.columns : undefined) ?? 100;
  return {
    width: Math.min(Math.max(columns, 60), 140),
    colour: file === undefined ? colourLevel() : 0,
    blocks: file === undefined && showsBlocks(process.stdout, process.env),
    allocations: true,
  };
}

/**
 * Colours of standard output. chalk knows terminals and FORCE_COLOR; it does not know NO_COLOR, and
 * would let FORCE_COLOR outweigh --no-color.
 */
function colourLevel(): RenderOptions['colour'] {
  const refused =
    process.argv.includes('--no-color') || (process.env.NO_COLOR && !process.env.FORCE_COLOR);
  return supportsColor && !refused ? supportsColor.level : 0;
}
