// Writes the dashboards as JSON: `npm run dashboards`.

import { writeFileSync } from 'node:fs';
import { renderDashboards } from './dashboards.ts';

for (const [name, json] of Object.entries(renderDashboards())) {
  writeFileSync(new URL(`dashboards/${name}.json`, import.meta.url), json);
}
