import { expect, test } from 'vitest';
import { createOutput } from './output.ts';

function record(columns: number | undefined) {
  let text = '';
  const write = (more: string): void => {
    text += more;
  };
  const output = createOutput({ write, colour: false, nameWidth: 3, columns: () => columns });
  return { output, text: () => text };
}

test('a status stays below the lines on a terminal, no longer than that is wide', () => {
  const { output, text } = record(11);
  output.status('halfway there');
  output.line('one', 'up');
  output.status(undefined);
  output.say('end');
  expect(text()).toBe('\r\u001b[Khalfway th\r\u001b[Kone │ up\nhalfway th\r\u001b[Kend\n');
});

test('elsewhere there is none', () => {
  const { output, text } = record(undefined);
  output.status('halfway there');
  output.say('end');
  expect(text()).toBe('end\n');
});
