import type { EventBatch } from '../events/batch.js';
import { latestRelease } from '../kernel/select.js';
import type { Session } from '../replay/session.js';

/** A session and what watches it. */
export interface Watched<W> {
  session: Session;
  watch: W;
}

/** Finds, of several releases, the newest that gives every recorded address; the latest if none does. */
export interface Election<W> {
  /** Replays events in all releases that are still in the race. */
  run(batch: EventBatch): void;
  /** The one, after the last event, and why it is that. */
  end(): { elected: Watched<W>; reason: string };
}

/** Events between two looks at which candidates are still in the race. */
const ELECTION_STEP = 64;

/** Thrown by a hasty election whose favourite has failed: the trace is to be read again. */
export const WRONG_FAVOURITE = new Error('the release that was held for the one differs after all');

/**
 * The one of several releases that the first events of a trace speak for, before anything watches it:
 * to watch all candidates takes longer than to replay them. They are tried one after another, the
 * newest first, as a session costs more than so few events; those behind the answer are never begun.
 * @param count of candidates, oldest first; the last is the latest release, which no other rules out
 * @param begin a new session of a candidate; it is used up
 * @param events at most as many as the batch has
 * @returns its place among the candidates, and whether others are still in the race
 */
export function favouriteOf(
  count: number,
  begin: (n: number) => Session,
  batch: EventBatch,
  events: number,
): { number: number; hasRivals: boolean } {
  const latest = count - 1;
  const isLatestExact = isExactFor(begin(latest), batch, events);
  for (let number = latest - 1; number >= 0; number--) {
    if (!isExactFor(begin(number), batch, events)) continue;
    return { number: isLatestExact ? latest : number, hasRivals: true };
  }
  return { number: latest, hasRivals: false };
}

/** Whether a session gives all addresses that the first events record; it ends soon after it does not. */
function isExactFor(session: Session, batch: EventBatch, events: number): boolean {
  for (let from = 0; from < events && isExact({ session }); from += ELECTION_STEP) {
    session.run(batch, from, Math.min(from + ELECTION_STEP, events));
  }
  return isExact({ session });
}

/**
 * An election.
 * @param candidates oldest first
 * @param haste after so many events only the newest that gives all their addresses goes on: replaying
 *   the others too takes as many times as long. If it differs later on, `run` throws WRONG_FAVOURITE.
 *   Infinity where the trace cannot be read again.
 * @param isHasty the one candidate is a favourite already
 */
export function createElection<W>(
  candidates: Watched<W>[],
  haste: number,
  isHasty = false,
): Election<W> {
  let raced = 0;
  let running = candidates;
  let isFavourite = isHasty;

  /** In small steps, so that candidates that differ from the record cost next to nothing. */
  function race(batch: EventBatch): void {
    for (let from = 0; from < batch.length; from += ELECTION_STEP) {
      const to = Math.min(from + ELECTION_STEP, batch.length);
      for (const { session } of running) session.run(batch, from, to);
      running = running.filter(stillElectable);
      raced += to - from;
      if (raced >= haste) chooseFavourite();
    }
  }

  function chooseFavourite(): void {
    const newest = running.findLast(isExact);
    if (running.length === 1 || newest === undefined) return;
    running = [newest];
    isFavourite = true;
  }

  return {
    run(batch) {
      if (running.length > 1) race(batch);
      else running[0].session.run(batch);
      if (isFavourite && !isExact(running[0])) throw WRONG_FAVOURITE;
    },
    end() {
      const exact = running.findLast(isExact);
      const elected = exact ?? running[running.length - 1];
      if (exact === undefined) {
        return { elected, reason: 'the latest: no release gives all the recorded addresses' };
      }
      const reason =
        elected.session.totals.recorded === 0
          ? 'the latest: the trace records no results'
          : 'the newest that gives every recorded address';
      return { elected, reason };
    },
  };
}

function isExact({ session }: { session: Session }): boolean {
  return session.totals.mismatches === 0;
}

/** The latest release stays in the race even when it differs: it is replayed if no other is left. */
function stillElectable(candidate: { session: Session }): boolean {
  return isExact(candidate) || candidate.session.options.release.name === latestRelease().name;
}
