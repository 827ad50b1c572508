export { type ControlHandlers, type ControlWatch, watchControl } from './control-watch.ts';
export { type AbortReason, type Outcome, WorkAborted } from './outcome.ts';
export { type ProgressDeadlineOptions, withProgressDeadline } from './progress-deadline.ts';
export { type HeldClaim, type HeldLease, type Pulser, type PulserOptions, startPulse } from './pulser.ts';
export { type RunStageOptions, runStage } from './run-stage.ts';
export type { RefOf, Stage, WorkContext, WorkProgress, WorkQueueName } from './stage.ts';
