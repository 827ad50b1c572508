import { locateModel, type Model, type ModelPlaces, stageOf, workerEnvironment } from '@parley/models';
import type { ModelledStage, WantedModel } from './wanted-models.ts';

/** Which of the wanted models are there. */
export class ModelStock {
  readonly #places: ModelPlaces;
  readonly #here = new Set<WantedModel>();
  readonly wanted: readonly WantedModel[];

  private constructor(wanted: readonly WantedModel[], places: ModelPlaces) {
    this.wanted = wanted;
    this.#places = places;
  }

  /** Looks for the models, and for the parts without which they do not work. */
  static async take(wanted: readonly WantedModel[], places: ModelPlaces): Promise<ModelStock> {
    const stock = new ModelStock(wanted, places);
    for (const one of wanted) if (await isHere(one.model, places.dir)) stock.add(one);
    return stock;
  }

  add(model: WantedModel): void {
    this.#here.add(model);
  }

  has(model: WantedModel): boolean {
    return this.#here.has(model);
  }

  /** Names of what is there for a stage. */
  namesFor(stage: ModelledStage): string[] {
    return this.wanted.filter((one) => one.stage === stage && this.has(one)).map(({ model }) => model.name);
  }

  /** The recogniser or voice that is there for a stage. */
  modelOf(stage: string): string | undefined {
    return this.wanted.find((one) => stageOf(one.model) === stage && this.has(one))?.model.name;
  }

  missing(): WantedModel[] {
    return this.wanted.filter((one) => !this.has(one));
  }

  /** The settings with which workers of a stage use what is there for them. */
  environment(stage: ModelledStage): Readonly<Record<string, string>> {
    const here = this.wanted.filter((one) => one.stage === stage && this.has(one));
    return Object.assign({}, ...here.map(({ model }) => workerEnvironment(model, this.#places.dir)));
  }
}

async function isHere({ name, companions = [] }: Model, dir: string): Promise<boolean> {
  try {
    const found = await Promise.all([name, ...companions].map((one) => locateModel(one, dir)));
    return found.every((location) => location !== undefined);
  } catch {
    // Why the folder cannot be read is said by whoever tries to put something into it.
    return false;
  }
}
