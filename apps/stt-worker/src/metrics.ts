import { LATENCY_BUCKETS_SECONDS, type Metrics } from '@parley/runtime';

export type SttMetrics = ReturnType<typeof sttMetrics>;

/** What a worker measures while it listens. */
export function sttMetrics(metrics: Metrics) {
  return {
    sessions: metrics.gauge({ name: 'parley_stt_sessions', help: 'Sessions listened to.' }),
    leases: metrics.counter({
      name: 'parley_stt_leases_total',
      help: 'Listen offers by result: taken, stale, closed, unavailable (Redis) or failed (engine).',
      labelNames: ['result'],
    }),
    ended: metrics.counter({
      name: 'parley_stt_listeners_ended_total',
      help: 'Listeners by why they ended: closed, fenced, failed or left.',
      labelNames: ['reason'],
    }),
    vadFrames: metrics.counter({
      name: 'parley_stt_vad_frames_total',
      help: 'Frames of 32 ms by what judged them: the model, or the energy gate in front of it.',
      labelNames: ['judge'],
    }),
    vadBatch: metrics.histogram({
      name: 'parley_stt_vad_batch_frames',
      help: 'Frames scored together.',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    }),
    vadSeconds: metrics.histogram({ name: 'parley_stt_vad_batch_seconds', help: 'Time to score a batch of frames.' }),
    settleSeconds: metrics.histogram({
      name: 'parley_stt_settle_seconds',
      help: 'From the end of a stretch of speech, as decided, to its text.',
    }),
    turnEndSeconds: metrics.histogram({
      name: 'parley_stt_turn_end_seconds',
      help: 'From the decision that a turn has ended to its event in the log.',
    }),
    turnWaitSeconds: metrics.histogram({
      name: 'parley_stt_turn_wait_seconds',
      help: 'Silence after which turns were ended, in audio, by mode of turn detection.',
      labelNames: ['mode'],
      buckets: [0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 1.8, 2.5, 5],
    }),
    turns: metrics.counter({
      name: 'parley_stt_turns_total',
      help: 'Turns ended by reason: silence, commit (input.commit), length (maxTurnMs) or empty (speech without words).',
      labelNames: ['reason'],
    }),
    eager: metrics.counter({
      name: 'parley_stt_turn_eager_total',
      help: 'Plausible ends of turns by what became of them: ended or resumed.',
      labelNames: ['outcome'],
    }),
    speechSeconds: metrics.counter({ name: 'parley_stt_speech_seconds_total', help: 'Audio given to the recogniser.' }),
    gapSeconds: metrics.counter({
      name: 'parley_stt_gap_seconds_total',
      help: 'Audio that was missing in the stream.',
    }),
    backlogSeconds: metrics.histogram({
      name: 'parley_stt_backlog_seconds',
      help: 'Audio read and not yet heard, whenever a session is read.',
      buckets: [...LATENCY_BUCKETS_SECONDS, 20, 40, 80],
    }),
    readingPaused: metrics.counter({
      name: 'parley_stt_reading_paused_total',
      help: 'Times a session was left unread because its recogniser or the log fell behind; its audio waits in Redis.',
    }),
    writes: metrics.counter({
      name: 'parley_stt_writes_total',
      help: 'Appends by outcome: done, repeated, found (had been written although Redis did not answer), dropped.',
      labelNames: ['outcome'],
    }),
    engineFailures: metrics.counter({
      name: 'parley_stt_engine_failures_total',
      help: 'Failures of the recogniser by code.',
      labelNames: ['code'],
    }),
  };
}
