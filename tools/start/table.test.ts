import { expect, test } from 'vitest';
import { startUpTable } from './table.ts';

test('the table names places, engines, reasons and what would be better, each pool once', () => {
  const worker = { engine: 'flite', why: 'offline default', hint: 'set PARLEY_TTS_BASE_URL' };
  const table = startUpTable({
    urls: ['http://127.0.0.1:8080', 'http://127.0.0.1:8081'],
    redis: 'its own',
    dataDir: '/data',
    stages: {
      tts: [
        { id: 'a', ...worker },
        { id: 'b', ...worker },
      ],
    },
    colour: false,
  });
  expect(table).toContain('ws://127.0.0.1:8081/v1/session');
  expect(table.match(/flite/g)).toHaveLength(1);
  expect(table).toMatch(/tts \(speaks\).*flite.*2.*offline default.*PARLEY_TTS_BASE_URL/);
});
