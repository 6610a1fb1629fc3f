import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';

/** What a terminal obeys or a reader does not see; tabs and newlines are ours. */
const DANGEROUS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const STATUSES = new Set([0, 1, 2, 3]);

const SCHEMAS = fileURLToPath(new URL('../../docs/schema/', import.meta.url));

/** Validators by the name that an object has in `schema`. */
function readSchemas() {
  const ajv = new Ajv({ strict: false, allErrors: false });
  const validators = new Map();
  for (const file of readdirSync(SCHEMAS)) {
    const schema = JSON.parse(readFileSync(SCHEMAS + file, 'utf8'));
    const name = schema.properties?.schema?.const;
    if (name !== undefined) validators.set(name, ajv.compile(schema));
  }
  return validators;
}

const validators = readSchemas();

function jsonFault(text, words) {
  if (!words.includes('--json')) return undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    let value;
    try {
      value = JSON.parse(line);
    } catch (error) {
      // One report may be laid out over many lines.
      try {
        value = JSON.parse(text);
      } catch {
        return `output is no JSON: ${error.message}`;
      }
    }
    const validate = validators.get(value?.schema);
    if (validate !== undefined && !validate(value)) {
      const [{ instancePath, message }] = validate.errors;
      return `output is not as ${value.schema} has it: ${instancePath} ${message}`;
    }
  }
  return undefined;
}

/** Milliseconds that a case of so many bytes may take; far more than it does, so that a busy machine is no finding. */
function patience(bytes) {
  return 20_000 + bytes / 20;
}

/**
 * What is wrong with how the program took a case; undefined for nothing.
 * @param run status, stdout, stderr, ms, and the error that the program threw
 */
export function faultOf({ status, stdout, stderr, ms, error }, words, bytes) {
  if (error !== undefined) return `threw ${error}`;
  if (!STATUSES.has(status)) return `exit status ${status}`;
  const internal = /internal error: [^\n]*/.exec(stderr);
  if (internal !== null) return internal[0];
  const dangerous = DANGEROUS.exec(stdout) ?? DANGEROUS.exec(stderr);
  if (dangerous !== null) return `printed character ${dangerous[0].codePointAt(0).toString(16)}`;
  if (status === 2 && stderr === '') return 'exit status 2 and not a word why';
  if (ms > patience(bytes)) return `took ${Math.round(ms)} ms for ${bytes} bytes`;
  return jsonFault(stdout, words);
}
