import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { z } from 'zod';

/** One value that a service reads from its environment. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  /** Name of the environment variable. */
  readonly env: string;
  /** Reads the variable's text; an unset or empty variable is `undefined`, so give a default or `.optional()`. */
  readonly schema: Schema;
  /** One sentence, with the unit. */
  readonly describe: string;
  /** Never shown: not in logs, not in faults. */
  readonly secret?: boolean;
}

export type ConfigSpec = Readonly<Record<string, Setting>>;
export type ConfigValues<Spec extends ConfigSpec> = { readonly [Key in keyof Spec]: z.output<Spec[Key]['schema']> };
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(
      `${faults.length === 1 ? 'a setting is' : `${faults.length} settings are`} wrong: ${faults.join('; ')}`,
      options,
    );
    this.faults = faults;
  }
}

export interface LoadOptions {
  /** Names in the file that belong to other services and are passed over, so that one file can serve them all. */
  readonly foreignNames?: RegExp;
}

/**
 * Turns environment and file into frozen, typed values. The environment wins over the file; every fault is collected into
 * one `ConfigError`. A `PARLEY_…` name in the file that nobody reads is a fault, for it is most likely misspelt.
 */
export function loadConfig<const Spec extends ConfigSpec>(
  spec: Spec,
  env: Environment,
  fileValues: Readonly<Record<string, unknown>> = {},
  options: LoadOptions = {},
): ConfigValues<Spec> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(spec)) {
    const given = textOf(env[setting.env]) ?? textOf(fileValues[setting.env]);
    const result = readSetting(setting, given);
    if ('fault' in result) faults.push(result.fault);
    else values[key] = result.value;
  }
  const known = new Set(Object.values(spec).map((setting) => setting.env));
  for (const name of Object.keys(fileValues)) {
    if (!name.startsWith('PARLEY_') || known.has(name) || options.foreignNames?.test(name)) continue;
    faults.push(`${name} in the configuration file is not a setting`);
  }
  if (faults.length > 0) throw new ConfigError(faults);
  // Each value came out of its own schema, under its own key.
  return Object.freeze(values) as ConfigValues<Spec>;
}

/** Reads a JSON object, or `NAME=value` lines, with the same names as the environment. */
export function readConfigFile(path: string): Record<string, unknown> {
  try {
    const text = readFileSync(path, 'utf8');
    if (!text.trimStart().startsWith('{')) return { ...parseEnv(text) };
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    throw new ConfigError([`the configuration file ${path} cannot be read: ${firstLine(error)}`], { cause: error });
  }
}

type Reading = { readonly value: unknown } | { readonly fault: string };

function readSetting(setting: Setting, given: string | undefined): Reading {
  if (given === undefined) {
    if (isRequired(setting.schema)) {
      return { fault: `${setting.env} is required: ${setting.describe}${allowed(setting, ' (', ')')}` };
    }
    return { value: setting.schema.parse(undefined) };
  }
  const result = setting.schema.safeParse(given);
  if (result.success) return { value: result.data };
  const what = result.error.issues.map((issue) => issue.message).join(', ');
  const shown = setting.secret ? 'its value (not shown)' : `"${given}"`;
  return { fault: `${setting.env} cannot be ${shown}: ${what}${allowed(setting, '; allowed: ', '')}` };
}

/** Not found out by `schema.safeParse(undefined)`: coercing schemas would make a value out of nothing. */
function isRequired(schema: z.ZodType): boolean {
  return schema._zod.optin === undefined;
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (Array.isArray(value)) return value.map(String).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function allowed(setting: Setting, before: string, after: string): string {
  const { range } = facts(setting.schema);
  return range === '' ? '' : `${before}${range}${after}`;
}

interface SchemaFacts {
  readonly range: string;
  readonly fallback: string | undefined;
}

/** What can be said of a schema in a word or two, taken from its JSON Schema. */
function facts(schema: z.ZodType): SchemaFacts {
  const described = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const parts: string[] = [];
  const choices = described.enum ?? (described.const === undefined ? undefined : [described.const]);
  if (choices) parts.push(choices.map(String).join(' | '));
  else if (described.type === 'integer' || described.type === 'number') parts.push(numberRange(described));
  else if (described.format) parts.push(described.format);
  return {
    range: parts.join(' '),
    fallback: described.default === undefined ? undefined : textOf(described.default),
  };
}

function numberRange({ type, minimum, maximum, exclusiveMinimum }: z.core.JSONSchema.BaseSchema): string {
  const lowest = limit(minimum) ?? limit(exclusiveMinimum);
  const highest = limit(maximum);
  const noun = type === 'integer' ? 'a whole number' : 'a number';
  const above = lowest === undefined ? '' : exclusiveMinimum === lowest ? ` above ${lowest}` : ` from ${lowest}`;
  return `${noun}${above}${highest === undefined ? '' : ` to ${highest}`}`;
}

/** `z.int()` always states the safe integers as limits; they say nothing to the reader. */
function limit(value: unknown): number | undefined {
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** One setting as a person reads it. */
export interface SettingDescription {
  readonly env: string;
  readonly describe: string;
  readonly required: boolean;
  readonly allowed: string;
  readonly default: string | undefined;
}

/** Every setting with its range and default, for `--help` and the documentation. */
export function describeConfig(spec: ConfigSpec): SettingDescription[] {
  return Object.values(spec).map((setting) => {
    const { range, fallback } = facts(setting.schema);
    return {
      env: setting.env,
      describe: setting.describe,
      required: isRequired(setting.schema),
      allowed: range,
      default: setting.secret ? undefined : fallback,
    };
  });
}

/** The values as they may be logged: secrets show only whether they are set. */
export function redactConfig<Spec extends ConfigSpec>(
  spec: Spec,
  values: ConfigValues<Spec>,
): Readonly<Record<string, unknown>> {
  const shown: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(spec)) {
    const value = values[key];
    shown[setting.env] = setting.secret && value !== undefined ? '[set]' : withoutPassword(value);
  }
  return shown;
}

/** A URL may carry a password although the setting itself is no secret. */
function withoutPassword(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/(\/\/[^/@:]*:)[^/@]+@/, '$1***@') : value;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
