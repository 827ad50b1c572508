import { expect, test } from 'vitest';
import { languagesOfModel, WHISPER_LANGUAGES } from './sherpa-languages.ts';

test.each([
  ['sherpa-onnx-streaming-zipformer-en-kroko-2025-08-06', 'online-transducer', ['en']],
  ['sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20', 'online-transducer', ['zh', 'en']],
  ['sherpa-onnx-streaming-zipformer-korean-2024-06-16', 'online-transducer', ['ko']],
  ['sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17', 'offline-sense-voice', ['zh', 'en', 'ja', 'ko', 'yue']],
  ['sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8', 'offline-nemo-transducer', ['en']],
  ['sherpa-onnx-whisper-turbo', 'offline-whisper', WHISPER_LANGUAGES],
  ['sherpa-onnx-whisper-tiny.en', 'offline-whisper', ['en']],
  ['mine', 'online-transducer', []],
] as const)('the name %s tells the languages', (name, kind, languages) => {
  expect(languagesOfModel(`/models/${name}`, { kind })).toEqual(languages);
});

test('Parakeet v3 knows 25', () => {
  const languages = languagesOfModel('/m/sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8', {
    kind: 'offline-nemo-transducer',
  });
  expect(languages).toHaveLength(25);
});
