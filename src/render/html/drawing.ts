import type { OccupancyMap } from '../../analysis/occupancyMap.js';
import { coarser, type Timeline } from '../../analysis/timeline.js';
import type { Pictures } from '../../report/pictures.js';
import type { Report } from '../../report/report.js';
import type { Colours } from './colours.js';

/** What the parts of a page that draw one report share. */
export interface Drawing {
  report: Report;
  /** Sets the ids of two reports in one page apart; empty where there is one. */
  side: string;
  /** What to call the report beside another. */
  name: string;
  timeline: Timeline;
  /** The timeline in the columns of the map. */
  columns: Timeline;
  occupancy: OccupancyMap;
  sizes: Pictures['sizes'];
  colours: Colours;
}

/** @throws Error for a report without pictures: whoever replays has to ask for them */
export function drawingOf(report: Report, colours: Colours, side: string, name: string): Drawing {
  const { pictures, timeline } = report;
  if (pictures === undefined) throw new Error('the report was made without pictures');
  const { occupancy, sizes } = pictures;
  const columns = coarser(timeline, Math.max(1, occupancy.columns));
  return { report, side, name, timeline, columns, occupancy, sizes, colours };
}
