import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { detectSherpaModel } from './sherpa-model.ts';

function folder(name: string, files: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), `${name}-`));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const file of files) writeFileSync(join(dir, file), '');
  return dir;
}

test.each([
  [
    'zipformer',
    ['encoder-epoch-99-avg-1.onnx', 'encoder-epoch-99-avg-1.int8.onnx', 'decoder-epoch-99-avg-1.onnx', 'joiner-1.onnx'],
    {
      transducer: {
        encoder: 'encoder-epoch-99-avg-1.int8.onnx',
        decoder: 'decoder-epoch-99-avg-1.onnx',
        joiner: 'joiner-1.onnx',
      },
    },
  ],
  [
    'paraformer',
    ['encoder.onnx', 'decoder.onnx'],
    { paraformer: { encoder: 'encoder.onnx', decoder: 'decoder.onnx' } },
  ],
  ['nemo', ['model.onnx'], { nemoCtc: { model: 'model.onnx' } }],
  ['zipformer-ctc', ['model.int8.onnx'], { zipformer2Ctc: { model: 'model.int8.onnx' } }],
  ['other', ['ctc-epoch-20-avg-1.onnx'], { nemoCtc: { model: 'ctc-epoch-20-avg-1.onnx' } }],
])('a %s model is known by its files', (name, files, expected) => {
  const dir = folder(name, [...files, 'tokens.txt', 'README.md']);
  const absolute = JSON.parse(JSON.stringify(expected), (_, value) =>
    typeof value === 'string' ? join(dir, value) : value,
  );
  expect(detectSherpaModel(dir)).toEqual({ tokens: join(dir, 'tokens.txt'), ...absolute });
});

test.each([
  ['no tokens', ['model.onnx']],
  ['no model', ['tokens.txt']],
  ['half a model', ['encoder.onnx', 'tokens.txt']],
])('a folder with %s is refused', (_, files) => {
  expect(() => detectSherpaModel(folder('refused', files))).toThrow(
    expect.objectContaining({ code: 'engine_missing' }),
  );
});
