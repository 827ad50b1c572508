import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { VoiceError } from '@parley/protocol';

/** The part of sherpa-onnx's `modelConfig` that depends on the kind of model. */
export type SherpaModel = { readonly tokens: string } & (
  | { readonly transducer: { readonly encoder: string; readonly decoder: string; readonly joiner: string } }
  | { readonly paraformer: { readonly encoder: string; readonly decoder: string } }
  | { readonly zipformer2Ctc: { readonly model: string } }
  | { readonly nemoCtc: { readonly model: string } }
);

/**
 * Finds out which kind of streaming model a folder holds from the names of its files, as the models are published. Of
 * several precisions the smaller `int8` one is taken. Throws `engine_missing` naming what is not there.
 */
export function detectSherpaModel(modelDir: string): SherpaModel {
  let files: string[];
  try {
    files = readdirSync(modelDir);
  } catch (cause) {
    throw new VoiceError('engine_missing', `the model folder ${modelDir} cannot be read`, { cause });
  }
  const find = (part: string): string | undefined => {
    const matches = files.filter((file) => file.endsWith('.onnx') && file.includes(part)).toSorted();
    const file = matches.find((name) => name.includes('int8')) ?? matches[0];
    return file && join(modelDir, file);
  };
  if (!files.includes('tokens.txt'))
    throw new VoiceError('engine_missing', `${join(modelDir, 'tokens.txt')} is missing`);
  const tokens = join(modelDir, 'tokens.txt');
  const [encoder, decoder, joiner] = ['encoder', 'decoder', 'joiner'].map(find);
  if (encoder && decoder && joiner) return { tokens, transducer: { encoder, decoder, joiner } };
  if (encoder && decoder) return { tokens, paraformer: { encoder, decoder } };
  const model = find('model') ?? find('ctc');
  if (model === undefined) {
    throw new VoiceError(
      'engine_missing',
      `${modelDir} holds no streaming model that is known (no .onnx files of one)`,
    );
  }
  // Both kinds come as one file; only the zipformers say in their name what they are.
  const isZipformer = /zipformer/i.test(modelDir) || /zipformer/i.test(model);
  return isZipformer ? { tokens, zipformer2Ctc: { model } } : { tokens, nemoCtc: { model } };
}
