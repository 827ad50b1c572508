import { describe, expect, it } from 'vitest';
import { primaryLanguage } from './settings.ts';

describe('the primary language', () => {
  it.each([
    ['en', 'en'],
    ['de-CH', 'de'],
    ['ZH-Hant-TW', 'zh'],
    ['', ''],
  ])('of %j is %j', (tag, language) => {
    expect(primaryLanguage(tag)).toBe(language);
  });
});
