// Wrong: a promise is always truthy.
declare const isReady: () => Promise<boolean>;
export const readiness = isReady() ? 'ready' : 'not ready';
