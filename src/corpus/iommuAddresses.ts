import { dmaWords } from '../analysis/iommu/dmaColumns.js';
import type { DmaRow, IovaRow } from '../events/iommu.js';
import { hex } from '../events/numbers.js';
import { addressWords, type Player } from '../replay/dmaIommu/player.js';
import type { DmaOutcome } from '../replay/dmaIommu/session.js';
import type { IommuReplay } from '../replay/iommuReplay.js';
import type { IovaOutcome } from '../replay/iova/session.js';
import { type AnswerList, createAnswerList, digestOf } from './addresses.js';

/** Segments of a list up to which each is told; of longer lists their number and a digest. */
const LISTED_SEGMENTS = 8;

/**
 * Notes the answers of a replay of an IOMMU trace: device addresses, and where the bounce buffers lie. To
 * be attached behind the checks, which prove the causes of failures.
 */
export function logIommuAddresses(replay: IommuReplay, keep: number): AnswerList {
  const answers = createAnswerList(keep);
  if (replay.kind === 'iova') {
    replay.session.observers.push({
      onRow(outcome) {
        if (ALLOCATES.has(outcome.row.op)) answers.add(outcome.row.line, pfnWord(outcome));
      },
    });
  } else {
    replay.session.observers.push({
      onRow(outcome) {
        if (MAPS.has(outcome.row.op)) answers.add(outcome.row.line, dmaWord(outcome));
      },
    });
  }
  return answers;
}

const ALLOCATES: ReadonlySet<IovaRow['op']> = new Set(['alloc', 'alloc_fast', 'dma_alloc']);

const MAPS: ReadonlySet<DmaRow['op']> = new Set([
  'map_page',
  'map_sg',
  'alloc',
  'iova_alloc',
  'iova_link',
]);

/** The first granule's number. */
function pfnWord({ pfn, cause }: IovaOutcome): string {
  return pfn >= 0 ? hex(pfn) : `failed: ${cause ?? 'no-address'}`;
}

function dmaWord(outcome: DmaOutcome): string {
  const { row, played, player, mapping, cause } = outcome;
  if (played.hangs) return 'hang';
  const hasFailed = played.failed || (row.op === 'iova_link' && played.result !== '0');
  if (played.skipped) return 'failed: not-replayed';
  if (hasFailed) return `failed: ${cause ?? (isCollision(player) ? 'collision' : 'error')}`;
  if (row.op === 'map_page') return dmaWords(played) + via(Number(played.result), row.phys[0].phys);
  if (row.op !== 'map_sg' || mapping === undefined) return dmaWords(played);
  const { segments, owned, entries } = mapping;
  const { granule } = player.devices[row.device].table;
  // Each segment of an untrusted device is an entry; a trusted one's are joined, and never bounced.
  const isEach = owned.length === segments.length;
  const words = segments.map(({ address, length }, n) => {
    const place = isEach ? via(owned[n].start, entries[n].phys) : '';
    return `${addressWords(address, granule)}+${length}${place}`;
  });
  if (words.length <= LISTED_SEGMENTS) return words.join(';');
  return `${words.length} segments ${digestOf(words.join(';'))}`;
}

/** Where a bounced mapping leads; nothing for what is mapped in place. */
function via(phys: number, original: number): string {
  return phys === original ? '' : ` via ${hex(phys)}`;
}

function isCollision({ system }: Player): boolean {
  return system.effects.collisions.length > 0;
}
