import { MODELS, type Model, recommendedModels } from './manifest.ts';

/**
 * Names of the models that `PARLEY_MODELS` asks for: the recommended ones when it is unset or says so, none for `none`,
 * otherwise those that it lists with commas between. Names are not looked up here.
 */
export function chosenModels(value: string | undefined, manifest: readonly Model[] = MODELS): string[] {
  const names = (value ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 1 && names[0] === 'none') return [];
  const asked = names.length === 0 ? ['recommended'] : names;
  return [
    ...new Set(
      asked.flatMap((name) =>
        name === 'recommended' ? recommendedModels(manifest).map((model) => model.name) : [name],
      ),
    ),
  ];
}
