import {
  type PoolSize,
  SIZE_SCHEMA,
  type SizeAnswer,
  type SizeReport,
  type SweepPoint,
} from '../../report/sizeReport.js';
import type { TooSmall } from '../../sizing/search.js';
import type { FailedRequest } from '../../sizing/trial.js';
import { harmlessJson } from '../harmless.js';
import { lossesJson } from '../losses.js';

/** What `size` found as `swiotlb-replay/size@1`, on one line. */
export function sizeJson(report: SizeReport): string {
  const { load } = report;
  return `${harmlessJson({
    schema: SIZE_SCHEMA,
    path: report.path,
    kernel: report.kernel,
    kernelReason: report.kernelReason ?? null,
    pageSize: report.pageSize,
    traces: report.traces.map(({ losses, ...trace }) => trace),
    merged: report.merged,
    requests: report.requests,
    scale: load.scale,
    cpus: report.cpus,
    held: report.heldTally,
    answers: report.answers.map(answer),
    unanswered: report.unanswered.map(({ pool, areas, failsAt }) => ({
      pool: pool.name,
      restricted: pool.restricted,
      areas,
      failsAt: tooSmall(failsAt),
    })),
    neverServed: report.neverServed.map(request),
    neverServedCount: report.never,
    sweep: report.sweep?.map(point) ?? null,
    assumptions: report.assumptions.map(({ line, message }) => ({ line: line ?? null, message })),
    losses: lossesJson(report.losses),
  })}\n`;
}

function answer(found: SizeAnswer) {
  return {
    pool: found.pool.name,
    restricted: found.pool.restricted,
    ...poolSize(found),
    peakSlots: found.peakSlots,
    percentile999: found.percentile999,
    headroomSlots: found.headroomSlots,
    failsAt: tooSmall(found.failsAt),
    failsAbove: tooSmall(found.failsAbove),
    burst: found.burst === undefined ? null : poolSize(found.burst),
  };
}

function poolSize({ nslabs, areas, bytes, parameter }: PoolSize) {
  return { areas, nslabs, bytes, parameter: parameter ?? null };
}

function tooSmall(found: TooSmall | undefined) {
  return found === undefined ? null : { nslabs: found.nslabs, ...request(found.request) };
}

function request({ path, line, device, size, cause, reason }: FailedRequest) {
  return { line, cause, reason, device, size, path };
}

function point(each: SweepPoint) {
  return {
    pool: each.pool.name,
    restricted: each.pool.restricted,
    kernel: each.kernel,
    asked: each.asked,
    ...poolSize(each),
    requests: each.requests,
    failed: each.failed,
    never: each.never,
    first: each.first === undefined ? null : request(each.first),
    peakSlots: each.peakSlots,
    percentile999: each.percentile999,
  };
}
