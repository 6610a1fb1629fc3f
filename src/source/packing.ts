import type { ReadInto } from './blocks.js';

/** Gives up to `length` bytes into `into` at `offset`, without waiting for other work; 0 at the end. */
export type ReadBytes = (into: Buffer, offset: number, length: number) => number;

/** Bytes that are being unpacked. */
export interface Unpacked {
  read: ReadInto;
  /** Gives up what unpacking holds: memory, a process. */
  close(): void;
}

/**
 * Unpacks what `packed` gives, with flat memory. Data that breaks off or is damaged just ends there,
 * and `damaged` is told how, as in "breaks off".
 * @param name of the file, for messages
 * @throws UserError, also while reading, for what cannot be unpacked here at all
 */
export type Unpack = (
  name: string,
  packed: ReadBytes,
  damaged: (how: string) => void,
) => Unpacked | Promise<Unpacked>;
