import { Origin, type Piece } from '../../dma/memory.js';
import { hex } from '../../events/numbers.js';
import type { Related } from '../finding.js';
import { rangeWords, sizeWords } from '../words.js';

/** Sources that a finding names; more tell nothing new. */
const NAMED = 4;

/** `2000 bytes that are neither its own nor zero, first at 0x41000000-0x410007cf: ...`. */
export function leakWords(pieces: readonly Piece[]): string {
  const total = pieces.reduce((sum, { length }) => sum + length, 0);
  const [first] = pieces;
  const where = `${rangeWords(first.start, first.length)}${pieces.length > 1 ? ' and further on' : ''}`;
  return `${sizeWords(total)} around its buffer that are neither its own nor zero (${where}), ${fromWords(first)}`;
}

/** Where a piece comes from: `kernel memory of 0x300000, bounced in line 12`. */
function fromWords({ origin, at, through }: Piece): string {
  const what =
    origin === Origin.before ? `kernel memory from ${hex(at)}` : `written in line ${origin}`;
  return through > 0 ? `${what}, bounced in line ${through}` : what;
}

/** The lines that foreign bytes come from, each with how many; the most telling first. */
export function sourcesOf(pieces: readonly Piece[]): Related[] {
  const bytes = new Map<number, number>();
  for (const { origin, through, length } of pieces) {
    const line = through > 0 ? through : origin;
    if (line > 0) bytes.set(line, (bytes.get(line) ?? 0) + length);
  }
  const sorted = [...bytes].sort(([, a], [, b]) => b - a).slice(0, NAMED);
  return sorted.map(([line, count]) => ({
    line,
    message: `${sizeWords(count)} of what leaks ${count === 1 ? 'comes' : 'come'} from this line`,
  }));
}
