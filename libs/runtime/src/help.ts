import { type ConfigSpec, describeConfig } from './config.ts';

/**
 * Answers `--help`: every setting of a service with its range and default, as text, or with `--help=json` as JSON for the
 * documentation. Undefined where help was not asked for.
 */
export function helpText(name: string, spec: ConfigSpec, args: readonly string[]): string | undefined {
  const settings = describeConfig(spec);
  if (args.includes('--help=json')) return `${JSON.stringify(settings)}\n`;
  if (!args.includes('--help')) return undefined;
  const lines = settings.map(({ env, describe, allowed, default: fallback, required }) => {
    const facts = [allowed, required ? 'required' : fallback === undefined ? undefined : `default ${fallback}`];
    const shown = facts.filter((fact) => fact !== undefined && fact !== '').join('; ');
    return `  ${env}\n      ${describe}${shown === '' ? '' : ` (${shown})`}\n`;
  });
  return `${name}: set by environment variables, or by a file of the same names (PARLEY_CONFIG_FILE).\n\n${lines.join('')}`;
}
