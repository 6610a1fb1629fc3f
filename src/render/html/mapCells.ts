import { deflateSync } from 'node:zlib';
import type { OccupancyMap, PoolOccupancy } from '../../analysis/occupancyMap.js';
import { type Colours, NAMED } from './colours.js';
import { html, type Markup } from './markup.js';

/** Steps between nothing and all in use. */
export const LEVELS = 15;

/** One byte per cell, row by row: the colour's number and one more in the high half, the level in the low one. */
function cellBytes(map: OccupancyMap, pool: PoolOccupancy, colours: Colours): Uint8Array {
  const colourOf = map.devices.map((name) => colours.of(name));
  return Uint8Array.from(pool.fraction, (fraction, n) => {
    if (fraction === 0) return 0;
    // What is in use at all must show.
    const colour = colourOf[pool.owner[n]] ?? NAMED;
    return ((colour + 1) << 4) | Math.ceil(fraction * LEVELS);
  });
}

/** The cells for the page's script: deflated, in base64. */
export function packedCells(map: OccupancyMap, pool: PoolOccupancy, colours: Colours): string {
  return deflateSync(cellBytes(map, pool, colours), { level: 9 }).toString('base64');
}

/** Cells of the plain map at most, each way: an SVG of more would be large. */
const PLAIN_COLUMNS = 128;
const PLAIN_ROWS = 64;
const PLAIN_LEVELS = 4;

/**
 * The map as SVG, for who has no script: coarse where it is large. Runs of equal cells are one
 * rectangle of the path of their colour and level.
 */
export function plainMap(map: OccupancyMap, pool: PoolOccupancy, colours: Colours): Markup {
  const across = Math.ceil(map.columns / PLAIN_COLUMNS);
  const down = Math.ceil(pool.rows / PLAIN_ROWS);
  const columns = Math.ceil(map.columns / across);
  const rows = Math.ceil(pool.rows / down);
  const cells = cellBytes(map, pool, colours);
  const paths = new Map<number, string>();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; ) {
      const look = lookOf(cells, map.columns, column * across, row * down, across, down);
      const from = column++;
      while (
        column < columns &&
        lookOf(cells, map.columns, column * across, row * down, across, down) === look
      ) {
        column++;
      }
      if (look === 0) continue;
      const run = `M${from} ${row}h${column - from}v1h-${column - from}z`;
      paths.set(look, (paths.get(look) ?? '') + run);
    }
  }
  const width = Number((map.columns / across).toFixed(3));
  const depth = Number((pool.rows / down).toFixed(3));
  return html`<svg class="plain" width="100%" height="100%" viewBox="0 0 ${width} ${depth}" preserveAspectRatio="none" shape-rendering="crispEdges" aria-hidden="true">${[
    ...paths,
  ].map(
    ([look, path]) => html`<path class="c${(look >> 4) - 1} l${look & 15}" d="${path}"/>`,
  )}</svg>`;
}

/** Colour and coarse level of a block of cells: the most common colour, the mean level. */
function lookOf(
  cells: Uint8Array,
  stride: number,
  column: number,
  row: number,
  across: number,
  down: number,
): number {
  const votes = new Array<number>(NAMED + 2).fill(0);
  let sum = 0;
  let count = 0;
  for (let y = row; y < row + down && y * stride < cells.length; y++) {
    for (let x = column; x < Math.min(column + across, stride); x++) {
      const cell = cells[y * stride + x];
      votes[cell >> 4] += cell & 15;
      sum += cell & 15;
      count++;
    }
  }
  if (sum === 0) return 0;
  const level = Math.ceil((sum / count / LEVELS) * PLAIN_LEVELS);
  return (votes.indexOf(Math.max(...votes)) << 4) | level;
}
