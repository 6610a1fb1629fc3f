import type { LogFact } from '../../events/logFacts.js';
import type { TraceInfo } from '../../events/trace.js';
import type { Source } from '../../source/open.js';
import { forEachLine } from '../lines.js';
import { createKernelLog } from './kernelLog.js';

/**
 * Reads a whole kernel log block by block, with flat memory.
 * @param info filled with what the boot said
 * @param onBlock called now and then, to show progress
 * @returns the number of lines
 */
export async function readKernelLog(
  source: Source,
  info: TraceInfo,
  onFact: (fact: LogFact) => void,
  onBlock: () => void,
): Promise<number> {
  const log = createKernelLog(info, onFact);
  let lines = 0;
  for await (const { bytes, end } of source.blocks) {
    forEachLine(bytes, end, (line) => log.read(line, ++lines));
    onBlock();
  }
  log.end();
  if (source.tally.cutLines > 0) {
    info.assumptions.push({
      line: undefined,
      message: `${source.tally.cutLines} lines of more than a megabyte were cut`,
    });
  }
  return lines;
}
