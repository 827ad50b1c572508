import { readFile } from 'node:fs/promises';
import { ConfigError } from '@parley/runtime';
import { Ajv, type ValidateFunction } from 'ajv';
import { z } from 'zod';
import type { ToolDefinition } from '../language-model.ts';

const MAX_TOOLS = 64;

/** One entry of the file. */
const ToolSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().max(4_000).default(''),
  parameters: z.record(z.string(), z.unknown()).default({ type: 'object', properties: {} }),
  url: z.url({ protocol: /^https?$/ }),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  headers: z.record(z.string(), z.string()).default({}),
  timeoutMs: z.number().int().min(100).max(120_000).default(10_000),
  /** What is said while the tool takes long; empty for silence, the language's usual words when not given. */
  filler: z.string().max(200).optional(),
  fillerAfterMs: z.number().int().min(0).max(60_000).optional(),
});

/** A tool that this worker calls over HTTP. */
export interface ServerTool extends z.infer<typeof ToolSchema> {
  /** What is wrong with these arguments, in words for the model; undefined when nothing is. */
  faultsOf(values: unknown): string | undefined;
}

/** Reads the operator's tools; everything that is wrong with the file is said at once. */
export async function loadServerTools(path: string | undefined): Promise<readonly ServerTool[]> {
  if (path === undefined) return [];
  const parsed = z
    .array(ToolSchema)
    .max(MAX_TOOLS)
    .safeParse(await readJson(path));
  if (!parsed.success) {
    throw faulty(
      path,
      parsed.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`),
    );
  }
  const ajv = new Ajv({ strict: false, logger: false, validateFormats: false, allErrors: true });
  const faults: string[] = [];
  const tools = parsed.data.flatMap((tool) => {
    const validate = compile(ajv, tool, faults);
    return validate === undefined ? [] : [{ ...tool, faultsOf: (values: unknown) => faultsOf(ajv, validate, values) }];
  });
  const names = tools.map(({ name }) => name);
  faults.push(...names.filter((name, at) => names.indexOf(name) < at).map((name) => `${name} is there twice`));
  if (faults.length > 0) throw faulty(path, faults);
  return tools;
}

/** What the model is told of a tool. */
export const definitionOf = ({ name, description, parameters }: ServerTool): ToolDefinition => ({
  name,
  description,
  parameters,
});

function compile(ajv: Ajv, { name, parameters }: z.infer<typeof ToolSchema>, faults: string[]) {
  try {
    return ajv.compile(parameters);
  } catch (error) {
    faults.push(`${name}: parameters are no JSON schema: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

function faultsOf(ajv: Ajv, validate: ValidateFunction, values: unknown): string | undefined {
  return validate(values) ? undefined : ajv.errorsText(validate.errors, { dataVar: 'arguments' });
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw faulty(path, [error instanceof Error ? error.message : String(error)]);
  }
}

const faulty = (path: string, faults: readonly string[]): ConfigError =>
  new ConfigError(faults.map((fault) => `PARLEY_TOOLS_FILE ${path}: ${fault}`));
