import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ClientMessageSchema } from './client-messages.ts';
import { DOWNLINK_HEADER_BYTES, UPLINK_HEADER_BYTES } from './codec.ts';
import { ERROR_CODES, ERROR_TABLE } from './errors.ts';
import { EVENT_TYPES, isClientVisible } from './events.ts';
import { SERVER_CONTROL_TYPES } from './server-codec.ts';
import { SettingsSchema } from './settings.ts';

const page = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8');

/** The rows of tables that name something, by that name. */
const rowsOf = (text: string) =>
  new Map(
    [...text.matchAll(/^\| `([\w.]+)` \|(.*)\|$/gm)].map(([, name = '', cells = '']) => [
      name,
      cells.split('|').map((cell) => cell.trim()),
    ]),
  );

const rows = rowsOf(page);
const eventRows = rowsOf(page.slice(page.indexOf('### Events of the log'), page.indexOf('**Order.**')));

const clientTypes = ClientMessageSchema.options.map(({ shape }) => shape.type.value);

describe('PROTOCOL.md', () => {
  it.each(clientTypes)('describes the client message `%s` with each of its fields', (type) => {
    const [fields = ''] = rows.get(type) ?? [];
    const option = ClientMessageSchema.options.find(({ shape }) => shape.type.value === type);
    expect(rows.has(type)).toBe(true);
    for (const field of Object.keys(option?.shape ?? {})) if (field !== 'type') expect(fields).toContain(field);
  });

  it.each(SERVER_CONTROL_TYPES)('describes the server message `%s`', (type) => {
    expect(rows.has(type)).toBe(true);
  });

  it.each(EVENT_TYPES)('describes the event `%s` if and only if clients see it', (type) => {
    expect(eventRows.has(type)).toBe(isClientVisible({ type }));
  });

  it.each(ERROR_CODES)('gives close code and retry of `%s` as they are', (code) => {
    const { close, retryable } = ERROR_TABLE[code];
    expect(rows.get(code)?.slice(0, 2)).toEqual([String(close), retryable ? 'yes' : 'no']);
  });

  it('names nothing that there is not', () => {
    const known = new Set<string>([...clientTypes, ...SERVER_CONTROL_TYPES, ...EVENT_TYPES, ...ERROR_CODES]);
    expect([...rows.keys()].filter((name) => !known.has(name))).toEqual([]);
  });

  it('says how long a typed turn may be', () => {
    const accepts = (text: string) => ClientMessageSchema.safeParse({ type: 'input.text', text }).success;
    expect(rows.get('input.text')?.[0]).toBe('`text`, 1 to 8 000 characters and not blank');
    expect(['', ' ', ' \n\t', 'a', ' a ', 'a'.repeat(8_000), 'a'.repeat(8_001)].map(accepts)).toEqual([
      ...[false, false, false, true, true, true, false],
    ]);
  });

  it('names each setting', () => {
    for (const setting of Object.keys(SettingsSchema.shape)) expect(page).toContain(`\`${setting}\``);
  });

  it('gives the sizes of the headers', () => {
    expect(page).toContain(`header of ${UPLINK_HEADER_BYTES} bytes`);
    expect(page).toContain(`header of ${DOWNLINK_HEADER_BYTES} bytes`);
  });
});
