import { createRange } from '../../convert/selection.js';
import type { TraceInfo } from '../../events/trace.js';
import { watchForPerfetto } from '../../writers/perfetto.js';
import { Exit } from '../exit.js';
import type { Output } from '../output.js';
import { chooseReleases, replayTrace, strictProblem } from '../run.js';
import { createSpool, type Spool } from '../spool.js';
import { anonymizerFor, type Conversion, nothingLeft, tellOf } from './conversion.js';

/** Writes the replay of a trace for ui.perfetto.dev. */
export async function convertToPerfetto(conversion: Conversion, output: Output): Promise<number> {
  const { path, opened, options, selection, anonymize } = conversion;
  let known: TraceInfo | undefined;
  const spools: Spool[] = [];
  try {
    const { info, runs } = await replayTrace(
      path,
      options,
      (info) => {
        known = info;
        return chooseReleases(options.kernel, info);
      },
      (session) => {
        const trace = known as TraceInfo;
        const spool = createSpool();
        spools.push(spool);
        const anonymizer = anonymizerFor(conversion, trace, session);
        const asIs = (address: number): number => address;
        const nameOf = (device: number): string => trace.devices[device].name;
        const picture = watchForPerfetto(
          session,
          {
            deviceName: anonymizer?.deviceName ?? nameOf,
            poolName: anonymizer?.poolName ?? ((name) => name),
            origAddr: anonymizer?.origAddr ?? asIs,
            bounceAddr: anonymizer?.bounceAddr ?? asIs,
            takesDevice: (device) => selection.takesDevice?.(nameOf(device)) ?? true,
            standing: createRange(selection),
            withMessages: !anonymize,
          },
          spool.write,
        );
        session.observers.push(...picture.observers);
        return { spool, picture };
      },
      { opened },
    );
    const [{ watch }] = runs;
    if (watch.picture.isEmpty()) throw nothingLeft(conversion, true);
    await watch.spool.copyTo(output);
    tellOf(conversion, info, []);
    return strictProblem(options, path, info) ?? Exit.ok;
  } finally {
    for (const spool of spools) spool.discard();
  }
}
