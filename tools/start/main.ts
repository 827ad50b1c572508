import { parseCommandLine } from './command-line.ts';
import { settingsOrExit } from './config.ts';
import { runSystem } from './run-system.ts';

const settings = settingsOrExit();
process.exitCode = await runSystem(parseCommandLine(process.argv, settings), settings);
// Whatever is still open belongs to nobody now.
process.exit();
