import { expect, test } from 'vitest';
import { createLogger, type LoggerOptions } from './logger.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const logger = createLogger({ name: 'test-worker', ...options, stream: { write: (line) => void lines.push(line) } });
  return { logger, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? 'null') };
}

test('an entry names its service, host and process', () => {
  const { logger, last } = capture();
  logger.info({ turnId: 3 }, 'turn finished');
  expect(last()).toMatchObject({
    level: 'info',
    service: 'test-worker',
    pid: process.pid,
    turnId: 3,
    msg: 'turn finished',
  });
  expect(last()).toHaveProperty('host');
});

test('what people said is hidden at both depths and in bindings of a child', () => {
  const { logger, lines } = capture();
  logger
    .child({ piiName: 'Ada' })
    .info({ piiText: 'my name is Ada', turn: { piiReply: 'hello Ada', number: 1 } }, 'heard');
  expect(lines.join()).not.toContain('Ada');
  expect(lines.join()).toContain('"number":1');
});

test('what people said is shown on demand', () => {
  const { logger, last } = capture({ showPii: true });
  logger.info({ piiText: 'my name is Ada' }, 'heard');
  expect(last()).toMatchObject({ piiText: 'my name is Ada' });
});

test('text in fields named like secrets is hidden, counts are not, and the object logged stays as it was', () => {
  const { logger, last } = capture();
  const fields = { apiKey: 'sk-1', headers: { authorization: 'Bearer x' }, resumeToken: 't', tokens: 30, monkey: 'Bo' };
  logger.info(fields, 'calling');
  expect(last()).toMatchObject({
    apiKey: '[secret]',
    headers: { authorization: '[secret]' },
    resumeToken: '[secret]',
    tokens: 30,
    monkey: 'Bo',
  });
  expect(fields.apiKey).toBe('sk-1');
});

test('errors are logged with their cause', () => {
  const { logger, last } = capture();
  logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
  expect(JSON.stringify(last())).toMatch(/outer.*inner/);
});

test('the readable form is one line with the facts behind the text', () => {
  const { logger, lines } = capture({ pretty: true });
  logger.warn({ turnId: 3, piiText: 'secret words' }, 'turn late');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: turn late .*"turnId":3.*\n$/);
  expect(lines[0]).not.toContain('secret words');
});

test('entries below the level are not written', () => {
  const { logger, lines } = capture({ level: 'warn' });
  logger.info('quiet');
  expect(lines).toHaveLength(0);
});
