import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { VoiceError } from '@parley/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TINY_VOICE_DIR } from '../testing/lab.ts';
import { detectSherpaModel } from './sherpa-model.ts';
import { languagesOf, speakerNames } from './sherpa-voices.ts';

const KOKORO_VOICE_BYTES = 522_240;

describe('a folder with a voice', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'voices-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** A folder with files of these names, empty unless given, laid out as the models are published. */
  const folder = async (name: string, files: Record<string, string | number>): Promise<string> => {
    for (const [file, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, name, file)), { recursive: true });
      await writeFile(join(root, name, file), typeof content === 'number' ? Buffer.alloc(content) : content);
    }
    return join(root, name);
  };
  const SPEECH_DATA = { 'espeak-ng-data/phontab': '' };

  it('is known for a Piper voice, with what its description says', async () => {
    const description = { language: { code: 'de_DE' }, speaker_id_map: { anna: 0, bert: 1 }, audio: {} };
    const modelDir = await folder('my-voice', {
      ...{ 'de_DE-two.onnx': '', 'de_DE-two.onnx.json': JSON.stringify(description), 'tokens.txt': '' },
      ...SPEECH_DATA,
    });
    const model = detectSherpaModel({ modelDir });
    expect(model).toMatchObject({
      kind: 'tts-vits',
      languages: ['de-DE'],
      model: {
        vits: {
          model: join(modelDir, 'de_DE-two.onnx'),
          tokens: join(modelDir, 'tokens.txt'),
          dataDir: join(modelDir, 'espeak-ng-data'),
        },
      },
    });
    expect(speakerNames(model, 3)).toEqual(['anna', 'bert', '2']);
  });

  it('is known for a VITS voice with a lexicon, which may lack everything else', () => {
    expect(detectSherpaModel({ modelDir: TINY_VOICE_DIR })).toMatchObject({
      ...{ kind: 'tts-vits', languages: ['en'], ruleFsts: '' },
      model: { vits: { lexicon: join(TINY_VOICE_DIR, 'lexicon.txt') } },
    });
  });

  it('is known for Kokoro, with its published voices and their languages', async () => {
    const files = { 'model.onnx': '', 'model.int8.onnx': '', 'tokens.txt': '', ...SPEECH_DATA };
    const modelDir = await folder('kokoro-multi-lang-v1_0', {
      ...files,
      'voices.bin': 53 * KOKORO_VOICE_BYTES,
      ...{ 'lexicon-us-en.txt': '', 'lexicon-gb-en.txt': '', 'lexicon-zh.txt': '', 'dict/jieba.dict.utf8': '' },
      ...{ 'date-zh.fst': '', 'number-zh.fst': '', 'phone-zh.fst': '' },
    });
    const model = detectSherpaModel({ modelDir });
    const at = (name: string): string => join(modelDir, name);
    expect(model).toMatchObject({
      kind: 'tts-kokoro',
      ruleFsts: ['date-zh.fst', 'number-zh.fst', 'phone-zh.fst'].map(at).join(','),
      model: {
        kokoro: {
          model: at('model.int8.onnx'),
          voices: at('voices.bin'),
          dictDir: at('dict'),
          lexicon: ['lexicon-us-en.txt', 'lexicon-zh.txt'].map(at).join(','),
        },
      },
    });
    const voices = speakerNames(model, 53);
    expect(voices[3]).toBe('af_heart');
    expect(voices[52]).toBe('zm_yunyang');
    expect(languagesOf(model, voices)).toEqual(['en-US', 'en-GB', 'es', 'fr', 'hi', 'it', 'ja', 'pt-BR', 'zh']);
    const english = await folder('kokoro-en-v0_19', { ...files, 'voices.bin': 11 * KOKORO_VOICE_BYTES });
    expect(speakerNames(detectSherpaModel({ modelDir: english }), 11).at(-1)).toBe('bm_lewis');
  });

  it('is known for Kitten by its small voices, unless told otherwise', async () => {
    const files = { 'model.fp16.onnx': '', 'tokens.txt': '', 'voices.bin': 8_192, ...SPEECH_DATA };
    const modelDir = await folder('kitten-nano-en-v0_1-fp16', files);
    const model = detectSherpaModel({ modelDir });
    expect(model).toMatchObject({ kind: 'tts-kitten', languages: ['en'] });
    expect(model.model.kitten).not.toHaveProperty('lexicon');
    expect(speakerNames(model, 8)[1]).toBe('expr-voice-2-f');
    expect(detectSherpaModel({ modelDir, kind: 'tts-kokoro' }).kind).toBe('tts-kokoro');
  });

  it('is known for Matcha, which finds its vocoder inside, beside, or where it is told', async () => {
    const files = { 'model-steps-3.onnx': '', 'tokens.txt': '', ...SPEECH_DATA };
    const modelDir = await folder('matcha-icefall-en_US-ljspeech', files);
    expect(() => detectSherpaModel({ modelDir })).toThrow(/no vocoder/);
    const beside = await folder('vocos-22khz-univ', { 'vocos-22khz-univ.onnx': '' });
    const vocoder = join(beside, 'vocos-22khz-univ.onnx');
    expect(detectSherpaModel({ modelDir })).toMatchObject({
      ...{ kind: 'tts-matcha', languages: ['en-US'] },
      model: { matcha: { acousticModel: join(modelDir, 'model-steps-3.onnx'), vocoder } },
    });
    const elsewhere = await folder('parts/one', { 'any.onnx': '' });
    const told = detectSherpaModel({ modelDir, vocoderDir: elsewhere });
    expect(told.model.matcha?.vocoder).toBe(join(elsewhere, 'any.onnx'));
    await folder('matcha-icefall-en_US-ljspeech', { 'vocos-22khz.onnx': '' });
    const inside = detectSherpaModel({ modelDir });
    expect(inside.model.matcha).toMatchObject({
      vocoder: join(modelDir, 'vocos-22khz.onnx'),
      acousticModel: join(modelDir, 'model-steps-3.onnx'),
    });
  });

  it.each([
    ['the model folder', undefined],
    ['no model', { 'tokens.txt': '' }],
    ['tokens.txt is missing', { 'model.onnx': '' }],
  ])('is refused when it lacks something, which is named: %s', async (message, files) => {
    const modelDir = files === undefined ? join(root, 'none') : await folder('some', files);
    const detect = () => detectSherpaModel({ modelDir });
    expect(detect).toThrow(VoiceError);
    expect(detect).toThrow(message);
  });
});
