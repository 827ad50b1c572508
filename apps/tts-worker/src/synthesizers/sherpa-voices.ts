import type { SherpaModel } from './sherpa-model.ts';

/** The voices of published models by number of speakers; the files do not name them. */
const KOKORO_VOICES: ReadonlyMap<number, readonly string[]> = new Map([
  [11, names('af af_bella af_nicole af_sarah af_sky am_adam am_michael bf_emma bf_isabella bm_george bm_lewis')],
  [
    53,
    names(
      'af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky am_adam ' +
        'am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bf_lily ' +
        'bm_daniel bm_fable bm_george bm_lewis ef_dora em_alex ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara ' +
        'im_nicola jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa zf_xiaobei ' +
        'zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang',
    ),
  ],
]);
const KITTEN_VOICES: ReadonlyMap<number, readonly string[]> = new Map([
  [
    8,
    names(
      'expr-voice-2-m expr-voice-2-f expr-voice-3-m expr-voice-3-f expr-voice-4-m expr-voice-4-f expr-voice-5-m ' +
        'expr-voice-5-f',
    ),
  ],
]);

/** Language by the first letter of a Kokoro voice. */
const KOKORO_LANGUAGES: ReadonlyMap<string, string> = new Map(
  Object.entries({ a: 'en-US', b: 'en-GB', e: 'es', f: 'fr', h: 'hi', i: 'it', j: 'ja', p: 'pt-BR', z: 'zh' }),
);

/** Names of a model's speakers in the order of their numbers; where no name is known, the number. */
export function speakerNames({ kind, speakers }: SherpaModel, count: number): string[] {
  const published = {
    'tts-kokoro': KOKORO_VOICES,
    'tts-kitten': KITTEN_VOICES,
    'tts-vits': undefined,
    'tts-matcha': undefined,
  };
  const known = published[kind]?.get(count);
  return Array.from({ length: count }, (_, number) => speakers.get(number) ?? known?.[number] ?? String(number));
}

/** Languages of a model whose voices, as Kokoro's, tell them; else what its files say. */
export function languagesOf({ kind, languages }: SherpaModel, voices: readonly string[]): readonly string[] {
  if (kind !== 'tts-kokoro') return languages;
  const spoken = new Set(voices.flatMap((voice) => KOKORO_LANGUAGES.get(voice.charAt(0)) ?? []));
  return spoken.size > 0 ? [...spoken] : languages;
}

function names(list: string): readonly string[] {
  return list.split(' ');
}
