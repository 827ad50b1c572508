export {
  type LlmBehaviour,
  type LlmRequest,
  SCRIPTED_MODEL,
  type ScriptedLlm,
  startScriptedLlm,
} from './scripted-llm.ts';
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
  startSystem,
  System,
  type SystemOptions,
  SystemProcess,
  waitUntil,
} from './system.ts';
