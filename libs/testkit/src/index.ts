export { startRedis, type TestRedis } from './redis.ts';
export { answerReady, READY, ScriptedConnection, ScriptedGateway, startScriptedGateway } from './scripted-gateway.ts';
export {
  type LlmBehaviour,
  type LlmRequest,
  SCRIPTED_MODEL,
  type ScriptedLlm,
  startScriptedLlm,
} from './scripted-llm.ts';
export { type OfferOptions, ScriptedOwner } from './scripted-owner.ts';
export {
  SCRIPTED_TTS_RATE_HZ,
  type ScriptedTts,
  scriptedSpeech,
  startScriptedTts,
  type TtsBehaviour,
  type TtsRequest,
} from './scripted-tts.ts';
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
