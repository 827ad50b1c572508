import { readFileSync } from 'node:fs';

/**
 * The environment over the configuration file, as the services will see it. A file that cannot be read is left for the
 * services to report.
 * @param {Record<string, string | undefined>} env
 * @returns {Record<string, string | undefined>}
 */
export function effectiveEnvironment(env) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  if (given.PARLEY_CONFIG_FILE === undefined) return given;
  try {
    const text = readFileSync(given.PARLEY_CONFIG_FILE, 'utf8');
    return { ...(text.trimStart().startsWith('{') ? JSON.parse(text) : readLines(text)), ...given };
  } catch {
    return given;
  }
}

/** `util.parseEnv` is missing in the oldest Node that this must run on. @param {string} text */
function readLines(text) {
  /** @type {Record<string, string>} */
  const values = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values[name] = value.replace(/^(['"])(.*)\1$/, '$2');
  }
  return values;
}
