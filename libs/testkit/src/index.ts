export { childProcesses } from './child-processes.ts';
export { hearKnownSpeech, type KnownWord } from './known-speech.ts';
export { startRedis, type TestRedis } from './redis.ts';
export {
  type DeepgramBehaviour,
  type DeepgramConnection,
  type ScriptedDeepgram,
  startScriptedDeepgram,
} from './scripted-deepgram.ts';
export { answerReady, READY, ScriptedConnection, ScriptedGateway, startScriptedGateway } from './scripted-gateway.ts';
export {
  type LlmRequest,
  SCRIPTED_MODEL,
  type ScriptedLlm,
  startScriptedLlm,
} from './scripted-llm.ts';
export {
  type OllamaRequest,
  SCRIPTED_OLLAMA_MODEL,
  type ScriptedOllama,
  startScriptedOllama,
} from './scripted-ollama.ts';
export { type OfferOptions, ScriptedOwner } from './scripted-owner.ts';
export type { LlmBehaviour, ScriptedCall, ScriptedReply } from './scripted-reply.ts';
export { type ScriptedStt, type SttBehaviour, type SttRequest, startScriptedStt } from './scripted-stt.ts';
export {
  SCRIPTED_TTS_RATE_HZ,
  type ScriptedTts,
  scriptedSpeech,
  startScriptedTts,
  type TtsBehaviour,
  type TtsDialect,
  type TtsRequest,
} from './scripted-tts.ts';
export { type CollectedSpan, type SpanCollector, startSpanCollector } from './span-collector.ts';
export {
  type AppName,
  freePort,
  type SessionDebug,
  System,
  type SystemOptions,
  SystemProcess,
  startSystem,
  waitUntil,
} from './system.ts';
