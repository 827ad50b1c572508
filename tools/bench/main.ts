import { join, resolve } from 'node:path';
import { parseCommandLine } from './command-line.ts';
import type { PartContext, PartResult } from './part.ts';
import { createProgress } from './progress.ts';
import { describeMachine, formatTable, writeResults } from './report.ts';

const { parts, options } = parseCommandLine(process.argv);
const machine = describeMachine();
const { cpu, cores, memoryGib, node, redis, platform } = machine;
console.log(`${cores} × ${cpu}, ${memoryGib} GiB, ${platform}, Node ${node}, Redis ${redis}`);

const progress = createProgress(process.stderr);
const context: PartContext = { options, progress: (text) => progress.show(text) };
const results = new Map<string, PartResult>();
for (const part of parts) {
  console.log(`\n${part.name}: ${part.summary}`);
  try {
    const result = await part.run(context);
    results.set(part.name, result);
    progress.clear();
    for (const table of result.tables) console.log(formatTable(table));
    for (const remark of result.remarks) console.log(`  ! ${remark}`);
  } catch (error) {
    progress.clear();
    process.exitCode = 1;
    console.error(`  ${part.name} could not be measured:`, error);
  }
}
const folder = join(resolve(process.env.PARLEY_DATA_DIR ?? '.parley'), 'bench');
console.log(`\nWritten to ${await writeResults(folder, results, machine)}`);
