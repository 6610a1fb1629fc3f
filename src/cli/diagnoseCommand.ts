import type { Command } from 'commander';
import { createDiagnoser, type DiagnoseOptions } from '../analysis/diagnose.js';
import type { Diagnosis } from '../analysis/diagnosis.js';
import { emptyTraceInfo } from '../events/trace.js';
import { readKernelLog } from '../formats/kernelLog/read.js';
import { requirePlacement } from '../pipeline/choice.js';
import { diagnosisJson, diagnosisText } from '../render/diagnosis.js';
import type { DeviceOverride } from '../replay/geometry.js';
import { openSource } from '../source/open.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { addDeviceOption, addOutputOptions, type OutputOptions } from './options.js';
import { renderOptions } from './output.js';
import { createProgress } from './progress.js';

type Options = OutputOptions & { kernel?: string; device: DeviceOverride[] };

/** `diagnose LOG...`: what does a kernel log prove? */
export function diagnoseCommand(command: Command): void {
  command
    .description(
      'Read plain kernel logs (dmesg, a journal, a mail that quotes one; no trace needed) and say what each\n' +
        '"swiotlb buffer is full" proves, what it does not, and what to do; also known kernel bugs, complaints\n' +
        'of dma-debug and IOMMU faults. Exit status 1 where there is something, 0 where there is nothing.',
    )
    .option(
      '--kernel <release>',
      'the kernel of the log, where it does not name it, or to override it',
    );
  addDeviceOption(command);
  addOutputOptions(command).action((paths: string[], options: Options) => {
    const { kernel, device } = options;
    const known: DiagnoseOptions = {
      kernel: kernel === undefined || kernel === 'recorded' ? undefined : requirePlacement(kernel),
      devices: device,
    };
    return eachTrace(paths, options.file, async (path, output) => {
      const diagnosis = await diagnose(path, known);
      await output.write(
        options.json
          ? diagnosisJson(diagnosis)
          : diagnosisText(diagnosis, renderOptions(options.file)),
      );
      return diagnosis.totals.reports + diagnosis.problems.length > 0 ? Exit.found : Exit.ok;
    });
  });
}

async function diagnose(path: string, known: DiagnoseOptions): Promise<Diagnosis> {
  const info = emptyTraceInfo();
  const diagnoser = createDiagnoser(known);
  const source = await openSource(path);
  const progress = createProgress(source, process.stderr);
  try {
    const lines = await readKernelLog(source, info, diagnoser.see, progress.tick);
    return diagnoser.finish(path, lines, info);
  } finally {
    progress.end();
    source.close();
  }
}
