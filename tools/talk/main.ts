// The console client: asks recorded or typed questions and plays the answers on a clock.
import { parseArgs } from './args.ts';
import { talk } from './talk.ts';

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());
process.once('SIGTERM', () => interrupt.abort());
// Whoever reads the output may leave before we do.
process.stdout.on('error', () => interrupt.abort());

const reason = await talk(parseArgs(process.argv.slice(2), process.env), process.stdout, interrupt.signal);
if (reason !== undefined) process.stderr.write(`${reason}\n`);
process.exit(reason === undefined ? 0 : 1);
