import { UserError } from '../events/errors.js';
import {
  feedFromBytes,
  feedFromFile,
  feedFromMemory,
  type KeptTrace,
  type TraceFeed,
} from '../pipeline/feed.js';
import type { TraceOptions } from './options.js';
import { formatNamed } from './settings.js';
import type { Trace, TraceInput } from './trace.js';

/*
 * What of the library the package does not export stands in files of its own: the declarations of
 * those that it exports then lead to no module that needs the types of Node.js.
 */

/** What traces were made of. */
export const KEPT = new WeakMap<object, KeptTrace>();

/** Where the events of an input come from. */
export async function feedOf(input: TraceInput | Trace, options: TraceOptions): Promise<TraceFeed> {
  const kept = typeof input === 'object' ? KEPT.get(input) : undefined;
  if (kept !== undefined) {
    const late = (['dmesg', 'format', 'name'] as const).find((key) => options[key] !== undefined);
    if (late === undefined) return feedFromMemory(kept);
    throw new UserError(`${kept.path}: has been read: ${late} is an option of readTrace()`);
  }
  const inputFormat = formatNamed(options.format);
  const hints = { dmesg: options.dmesg, inputFormat };
  if (typeof input === 'string') return feedFromFile(input, hints);
  const { name = input instanceof Uint8Array ? '<bytes>' : '<stream>' } = options;
  const bytes = input instanceof Uint8Array ? input : await gather(input);
  return feedFromBytes(name, bytes, hints);
}

async function gather(stream: AsyncIterable<Uint8Array | string> | Trace): Promise<Uint8Array> {
  if (!(Symbol.asyncIterator in Object(stream))) {
    throw new UserError('a trace is read from a path, from bytes or from a stream of them');
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of stream as AsyncIterable<Uint8Array | string>) {
    pieces.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
  }
  return Buffer.concat(pieces);
}
