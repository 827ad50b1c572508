import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allPanels, renderDashboards } from './dashboards.ts';

const folder = new URL('dashboards/', import.meta.url);
const rendered = renderDashboards();

describe('the dashboards', () => {
  it('are the files in dashboards/, and no others', () => {
    expect(readdirSync(folder).toSorted()).toEqual(Object.keys(rendered).map((name) => `${name}.json`));
  });

  it.each(Object.entries(rendered))('%s.json is what the code gives (npm run dashboards)', (name, json) => {
    expect(readFileSync(new URL(`${name}.json`, folder), 'utf8')).toBe(json);
  });

  it('say of every panel what it shows', () => {
    const titles = allPanels().map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    for (const { title, description, queries } of allPanels()) {
      expect(description, title).not.toBe('');
      expect(queries.length, title).toBeGreaterThan(0);
    }
  });
});
