import { type OccupancyMap, watchOccupancy } from '../analysis/occupancyMap.js';
import { type SizeClass, watchSizes } from '../analysis/requestSizes.js';
import { type Timeline, watchTimeline } from '../analysis/timeline.js';
import type { Session } from '../replay/session.js';

/** What only pictures need, of the whole of a replay. */
export interface Pictures {
  timeline: Timeline;
  occupancy: OccupancyMap;
  sizes: SizeClass[];
}

/**
 * Watches a session for its pictures.
 * @returns what draws them up once the session is finished
 */
export function watchForPictures(session: Session): () => Pictures {
  const timeline = watchTimeline(session);
  const occupancy = watchOccupancy(session);
  const sizes = watchSizes();
  session.observers.push(timeline, occupancy, sizes);
  return () => ({
    timeline: timeline.timeline(),
    occupancy: occupancy.map(),
    sizes: sizes.classes(),
  });
}
