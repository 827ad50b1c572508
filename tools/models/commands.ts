import Table from 'cli-table3';
import { chosenModels } from './choose-models.ts';
import { formatBytes } from './format-bytes.ts';
import { ensureModels, type ModelResult } from './install.ts';
import { locateModel, removeModel, verifyModel } from './locate.ts';
import { lockEntry } from './lock-file.ts';
import { findModel, MODELS, type Model, stageOf } from './manifest.ts';
import { ModelError } from './model-error.ts';
import { progressDisplay } from './progress-display.ts';
import type { ModelPlaces } from './settings.ts';
import { trustInWords } from './trust-words.ts';

/** Each command resolves with the exit code: 0 when all is as asked, else 1. */
type ExitCode = 0 | 1;

/** Prints the models there are and which of them are here. */
export async function listModels({ dir }: ModelPlaces, { json = false }: { json?: boolean }): Promise<ExitCode> {
  const rows = await Promise.all(MODELS.map((model) => describe(model, dir)));
  if (json) {
    console.log(JSON.stringify(rows, null, 2));
    return 0;
  }
  const table = new Table({
    head: ['model', 'for', 'languages', 'download', 'load', 'here', 'licence'],
    style: { head: [], border: [], compact: true },
    colWidths: [null, null, 12, null, null, null, 36],
    wordWrap: true,
  });
  for (const { name, recommended, stage, languages, downloadBytes, exact, speed, state, licence } of rows) {
    table.push([
      `${recommended ? '* ' : '  '}${name}`,
      stage,
      languages.join(' '),
      `${exact ? '' : '≈ '}${formatBytes(downloadBytes)}`,
      speed,
      state,
      licence,
    ]);
  }
  console.log(table.toString());
  console.log(`* recommended: npm run models -- get recommended\nModels are kept in ${dir}`);
  return 0;
}

/** Fetches models by name; `recommended` stands for the recommended ones. */
export async function getModels(
  names: readonly string[],
  { dir, source }: ModelPlaces,
  signal: AbortSignal,
): Promise<ExitCode> {
  const display = progressDisplay(process.stderr);
  const waiting = chosenModels(names.join(','));
  let worst: ExitCode = 0;
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const model = findModel(name);
    if (model !== undefined) {
      console.log(`${name}: about ${formatBytes(model.approximateBytes)}, licence: ${model.licence}`);
    }
    let results: ModelResult[];
    try {
      results = await ensureModels([name], { dir, source, signal, onProgress: (step) => display.show(step) });
    } finally {
      display.stop();
    }
    for (const result of results) if (!report(result)) worst = 1;
    const unreachable = results.some((result) => result.outcome === 'failed' && result.error.code === 'unreachable');
    if (unreachable && waiting.length > 0) {
      console.error(`Not tried, for the same reason: ${waiting.join(', ')}`);
      return 1;
    }
  }
  return worst;
}

/** Looks at every byte of a model, or of all that are here. */
export async function verifyModels(
  name: string | undefined,
  { dir }: ModelPlaces,
  signal: AbortSignal,
): Promise<ExitCode> {
  const models = name === undefined ? MODELS : [knownModel(name)];
  let worst: ExitCode = 0;
  let seen = 0;
  for (const model of models) {
    const found = await verifyModel(model.name, dir, signal);
    if (found.state === 'absent' && name === undefined) continue;
    seen += 1;
    switch (found.state) {
      case 'whole':
        console.log(`${model.name}: whole, ${found.files} files; ${trustInWords(found.entry.trust)}`);
        break;
      case 'unknown':
        console.log(`${model.name}: put there by hand, nothing to compare it with`);
        break;
      case 'absent':
        worst = 1;
        complain(`${model.name} is not here`, `npm run models -- get ${model.name}`);
        break;
      case 'damaged':
        worst = 1;
        complain(
          `${model.name} is damaged: ${found.faults.join('; ')}`,
          `npm run models -- remove ${model.name} && npm run models -- get ${model.name}`,
        );
        break;
      default:
        found satisfies never;
    }
  }
  if (seen === 0) console.log(`There are no models in ${dir}`);
  return worst;
}

/** Prints the folder of a model, alone on a line, for scripts. */
export async function printPath(name: string, { dir }: ModelPlaces): Promise<ExitCode> {
  const model = knownModel(name);
  const location = await locateModel(model.name, dir);
  if (location !== undefined) {
    console.log(location.dir);
    return 0;
  }
  complain(`${name} is not here, or not whole`, `npm run models -- get ${name}`);
  return 1;
}

/** Deletes a model. */
export async function dropModel(
  name: string,
  { dir }: ModelPlaces,
  { forget = false }: { forget?: boolean },
): Promise<ExitCode> {
  const model = knownModel(name);
  const removed = await removeModel(model.name, dir, { forget });
  const noted = !forget && (await lockEntry(dir, name)) !== undefined;
  console.log(removed ? `${name} was removed${noted ? '; its checksum stays noted' : ''}` : `${name} was not here`);
  return 0;
}

/** Prints a failure with what to do about it. */
export function complain(what: string, advice: string | undefined): void {
  console.error(advice === undefined ? what : `${what}\n  ${advice}`);
}

function knownModel(name: string): Model {
  const model = findModel(name);
  if (model !== undefined) return model;
  throw new ModelError('unknown_model', `"${name}" is not a model that Parley knows`, {
    advice: 'See npm run models -- list.',
  });
}

function report(result: ModelResult): boolean {
  if (result.outcome === 'failed') {
    complain(`${result.name}: ${result.error.message}`, result.error.advice);
    return false;
  }
  const how = result.outcome === 'present' ? 'is here already' : 'is here';
  console.log(`${result.name} ${how}: ${result.location.dir}\n  ${trustInWords(result.trust)}`);
  return true;
}

interface Row {
  readonly name: string;
  readonly stage: string;
  readonly kind: string;
  readonly languages: readonly string[];
  readonly downloadBytes: number;
  readonly exact: boolean;
  readonly speed: string;
  readonly licence: string;
  readonly recommended: boolean;
  readonly state: 'yes' | 'unverified' | 'no';
  readonly url: string;
}

async function describe(model: Model, dir: string): Promise<Row> {
  const { name, kind, languages, speed, licence, url } = model;
  const location = await locateModel(name, dir);
  const knownBytes = model.exact?.sizeBytes ?? (await lockEntry(dir, name))?.sizeBytes;
  return {
    name,
    stage: stageOf(model),
    kind,
    languages,
    downloadBytes: knownBytes ?? model.approximateBytes,
    exact: knownBytes !== undefined,
    speed,
    licence,
    recommended: model.recommended ?? false,
    state: location === undefined ? 'no' : location.verified ? 'yes' : 'unverified',
    url,
  };
}
