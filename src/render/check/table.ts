import type { CheckResult } from '../../corpus/result.js';
import type { RenderOptions } from '../table.js';
import { checkGithub } from './github.js';
import { checkJson, checkJsonLines } from './json.js';
import { checkJunit } from './junit.js';
import { checkKtap } from './ktap.js';
import { checkMarkdown } from './markdown.js';
import { checkSarif } from './sarif.js';
import { checkText } from './text.js';

/** One output of a check. */
export interface CheckRenderer {
  /** As `check --output` takes it. */
  name: string;
  render(result: CheckResult, options: RenderOptions): string;
}

/** Every output of a check. All but the first say the same wherever and whenever they are written. */
export const CHECK_RENDERERS: readonly CheckRenderer[] = [
  { name: 'text', render: checkText },
  { name: 'json', render: checkJson },
  { name: 'jsonl', render: checkJsonLines },
  { name: 'ktap', render: checkKtap },
  { name: 'junit', render: checkJunit },
  { name: 'sarif', render: checkSarif },
  { name: 'github', render: checkGithub },
  { name: 'markdown', render: checkMarkdown },
];
