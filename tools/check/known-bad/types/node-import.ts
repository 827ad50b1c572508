// Wrong: a neutral library runs in the browser too.
import { readFileSync } from 'node:fs';
export const text = readFileSync('settings.json', 'utf8');
