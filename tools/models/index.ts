export { chosenModels } from './choose-models.ts';
export { type EnsureOptions, ensureModels, type ModelProgress, type ModelResult } from './install.ts';
export { locateModel, type ModelLocation } from './locate.ts';
export type { Trust } from './lock-file.ts';
export { findModel, MODELS, type Model, recommendedModels, stageOf } from './manifest.ts';
export { ModelError, type ModelErrorCode } from './model-error.ts';
export type { ModelSource } from './model-source.ts';
export { loadModelPlaces, type ModelPlaces, modelSettings } from './settings.ts';
export { workerEnvironment } from './worker-environment.ts';
