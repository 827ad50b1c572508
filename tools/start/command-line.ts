import { Command, InvalidArgumentError } from 'commander';
import type { StartSettings } from './config.ts';
import { environmentHelp } from './environment-help.ts';

/** How many processes of each kind, and where the gateways listen. */
export interface StartOptions {
  readonly gateways: number;
  readonly stt: number;
  readonly llm: number;
  readonly tts: number;
  readonly port: number;
  /** Fetch no models; what is there is used. */
  readonly offline: boolean;
}

const MAX_PROCESSES = 64;

/** Reads the arguments; prints the help or what is wrong with them and ends the process where that is called for. */
export function parseCommandLine(argv: readonly string[], settings: StartSettings): StartOptions {
  return new Command('npm start --')
    .description('Starts Parley: a Redis, gateways, and pools of workers that hear, think and speak.')
    .option('--gateways <n>', 'gateways, on consecutive ports', wholeNumber(1, MAX_PROCESSES), 1)
    .option('--stt <n>', 'workers that hear', wholeNumber(1, MAX_PROCESSES), 1)
    .option('--llm <n>', 'workers that think', wholeNumber(1, MAX_PROCESSES), 1)
    .option('--tts <n>', 'workers that speak', wholeNumber(1, MAX_PROCESSES), 1)
    .option('--port <port>', 'port of the first gateway', wholeNumber(1, 65_535), settings.port)
    .option('--offline', 'fetch no models; those that are here are used', false)
    .allowExcessArguments(false)
    .addHelpText('after', `\n${environmentHelp()}`)
    .parse([...argv])
    .opts<StartOptions>();
}

function wholeNumber(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= lowest && value <= highest) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${lowest} to ${highest}.`);
  };
}
