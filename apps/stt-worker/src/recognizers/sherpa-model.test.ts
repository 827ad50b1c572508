import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { detectSherpaModel, isOnline } from './sherpa-model.ts';

function folder(name: string, files: readonly string[]): string {
  const parent = mkdtempSync(join(tmpdir(), 'models-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const dir = join(parent, name);
  mkdirSync(dir);
  for (const file of files) writeFileSync(join(dir, file), '');
  return dir;
}

/** What is found, with file names in place of paths. */
function detect(dir: string, options: { modelKind?: string; language?: string } = {}) {
  const model = detectSherpaModel({ modelDir: dir, ...options });
  return JSON.parse(JSON.stringify(model), (_, value) =>
    typeof value === 'string' && value.startsWith(dir) ? basename(value) : value,
  );
}

const ONLINE_TRANSDUCER = [
  'encoder-epoch-99-avg-1.onnx',
  'encoder-epoch-99-avg-1.int8.onnx',
  'decoder-epoch-99-avg-1.onnx',
  'joiner-epoch-99-avg-1.onnx',
];

test.each([
  [
    'sherpa-onnx-streaming-zipformer-en-2023-06-26',
    ONLINE_TRANSDUCER,
    'online-transducer',
    {
      transducer: {
        encoder: 'encoder-epoch-99-avg-1.int8.onnx',
        decoder: 'decoder-epoch-99-avg-1.onnx',
        joiner: 'joiner-epoch-99-avg-1.onnx',
      },
    },
  ],
  [
    'sherpa-onnx-streaming-paraformer-bilingual-zh-en',
    ['encoder.onnx', 'encoder.int8.onnx', 'decoder.int8.onnx'],
    'online-paraformer',
    { paraformer: { encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx' } },
  ],
  [
    'sherpa-onnx-nemo-streaming-fast-conformer-ctc-en-80ms',
    ['model.onnx'],
    'online-nemo-ctc',
    { nemoCtc: { model: 'model.onnx' } },
  ],
  [
    'sherpa-onnx-streaming-zipformer-ctc-small-2024-03-18',
    ['ctc-epoch-30-avg-3-chunk-16-left-128.int8.onnx'],
    'online-zipformer-ctc',
    { zipformer2Ctc: { model: 'ctc-epoch-30-avg-3-chunk-16-left-128.int8.onnx' } },
  ],
  [
    'sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8',
    ['encoder.int8.onnx', 'decoder.int8.onnx', 'joiner.int8.onnx'],
    'offline-nemo-transducer',
    {
      transducer: { encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx', joiner: 'joiner.int8.onnx' },
      modelType: 'nemo_transducer',
    },
  ],
  [
    'sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2024-07-17',
    ['model.int8.onnx'],
    'offline-sense-voice',
    { senseVoice: { model: 'model.int8.onnx', language: 'auto', useInverseTextNormalization: 1 } },
  ],
  [
    'sherpa-onnx-moonshine-tiny-en-quantized-2026-02-27',
    ['encoder_model.ort', 'decoder_model_merged.ort'],
    'offline-moonshine',
    { moonshine: { encoder: 'encoder_model.ort', mergedDecoder: 'decoder_model_merged.ort' } },
  ],
  [
    'sherpa-onnx-moonshine-tiny-en-int8',
    ['preprocess.onnx', 'encode.int8.onnx', 'uncached_decode.int8.onnx', 'cached_decode.int8.onnx'],
    'offline-moonshine',
    {
      moonshine: {
        preprocessor: 'preprocess.onnx',
        encoder: 'encode.int8.onnx',
        uncachedDecoder: 'uncached_decode.int8.onnx',
        cachedDecoder: 'cached_decode.int8.onnx',
      },
    },
  ],
])('%s is known by its files', (name, files, kind, parts) => {
  const dir = folder(name, [...files, 'tokens.txt', 'README.md']);
  expect(detect(dir)).toEqual({ kind, config: { tokens: 'tokens.txt', ...parts } });
  expect(isOnline({ kind: kind as 'online-transducer' })).toBe(kind.startsWith('online'));
});

test('Whisper brings its name in all its files, and is told the language', () => {
  const files = ['tiny-encoder.onnx', 'tiny-encoder.int8.onnx', 'tiny-decoder.int8.onnx', 'tiny-tokens.txt'];
  const whisper = { encoder: 'tiny-encoder.int8.onnx', decoder: 'tiny-decoder.int8.onnx', task: 'transcribe' };
  for (const dir of [folder('sherpa-onnx-whisper-tiny', files), folder('mine', files)]) {
    expect(detect(dir, { language: 'de-AT' })).toEqual({
      kind: 'offline-whisper',
      config: { tokens: 'tiny-tokens.txt', whisper: { ...whisper, language: 'de', tailPaddings: -1 } },
    });
  }
});

test('where the files do not tell, the kind is what is said', () => {
  const dir = folder('mine', ['model.onnx', 'tokens.txt']);
  expect(detect(dir).kind).toBe('online-nemo-ctc');
  expect(detect(dir, { modelKind: 'offline-sense-voice', language: 'en' }).config.senseVoice).toMatchObject({
    model: 'model.onnx',
    language: 'en',
  });
});

test('a vocabulary of word pieces is found', () => {
  const dir = folder('sherpa-onnx-streaming-zipformer-en', [...ONLINE_TRANSDUCER, 'tokens.txt', 'bpe.vocab']);
  expect(detect(dir).bpeVocab).toBe('bpe.vocab');
});

test.each([
  ['no tokens', ['model.onnx'], undefined],
  ['no model', ['tokens.txt'], undefined],
  ['half a model', ['encoder.onnx', 'tokens.txt'], undefined],
  ['another kind than is said', ['encoder.onnx', 'decoder.onnx', 'tokens.txt'], 'online-transducer'],
])('a folder with %s is refused', (_, files, modelKind) => {
  expect(() => detectSherpaModel({ modelDir: folder('refused', files), modelKind })).toThrow(
    expect.objectContaining({ code: 'engine_missing' }),
  );
});
