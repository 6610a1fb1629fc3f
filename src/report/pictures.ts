import { type OccupancyMap, watchOccupancy } from '../analysis/occupancyMap.js';
import { type SizeClass, watchSizes } from '../analysis/requestSizes.js';
import type { Session } from '../replay/session.js';

/** What only pictures need. */
export interface Pictures {
  occupancy: OccupancyMap;
  sizes: SizeClass[];
}

/**
 * Watches a session for its pictures.
 * @returns what draws them up once the session is finished
 */
export function watchForPictures(session: Session): () => Pictures {
  const occupancy = watchOccupancy(session);
  const sizes = watchSizes();
  session.observers.push(occupancy, sizes);
  return () => ({
    occupancy: occupancy.map(),
    sizes: sizes.classes(),
  });
}
