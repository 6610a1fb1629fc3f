import {
  cellWords,
  colourOf,
  drawMap,
  goToPlace,
  lookAt,
  onMapKey,
  onMapPointer,
  rangeWords,
  showCell,
  sortTable,
  start,
  startMap,
  unpackCells,
} from './client.js';

/** The page's script: the functions of client.ts as text. They are what was compiled, and need no build of their own. */
export const SCRIPT = `'use strict';\n${[
  cellWords,
  colourOf,
  drawMap,
  goToPlace,
  lookAt,
  onMapKey,
  onMapPointer,
  rangeWords,
  showCell,
  sortTable,
  start,
  startMap,
  unpackCells,
].join('\n')}\nstart();\n`;
