import { ConfigError, describeConfig, EXIT_CODES } from '@parley/runtime';
import { Command } from 'commander';
import { complain, dropModel, getModels, listModels, printPath, verifyModels } from './commands.ts';
import { ModelError } from './model-error.ts';
import { loadModelPlaces, modelSettings } from './settings.ts';

const EXIT_INTERRUPTED = 130;

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    // A second one means "at once"; the part on the disk is whole up to its last byte anyway.
    if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
    interrupt.abort(new Error('interrupted'));
  });
}

const settingsHelp = describeConfig(modelSettings)
  .map(
    ({ env, describe, default: fallback }) => `  ${env}\n      ${describe}${fallback ? ` Default: ${fallback}.` : ''}`,
  )
  .join('\n');

const program = new Command('npm run models --')
  .description('Fetches speech models by name, verifies and removes them. Read docs/models.md for how to choose.')
  .addHelpText('after', `\nEnvironment:\n${settingsHelp}`);

program
  .command('list')
  .description('show all models, and which are here')
  .option('--json', 'as JSON')
  .action(async (options: { json?: boolean }) => {
    process.exitCode = await listModels(loadModelPlaces(process.env), options);
  });
program
  .command('get')
  .description('fetch models, going on where an earlier try stopped')
  .argument('<names...>', 'names from the list, or: recommended')
  .action(async (names: string[]) => {
    process.exitCode = await getModels(names, loadModelPlaces(process.env), interrupt.signal);
  });
program
  .command('verify')
  .description('compare every byte of a model, or of all that are here, with what was noted')
  .argument('[name]')
  .action(async (name: string | undefined) => {
    process.exitCode = await verifyModels(name, loadModelPlaces(process.env), interrupt.signal);
  });
program
  .command('path')
  .description('print the folder of a model')
  .argument('<name>')
  .action(async (name: string) => {
    process.exitCode = await printPath(name, loadModelPlaces(process.env));
  });
program
  .command('remove')
  .description('delete a model')
  .argument('<name>')
  .option('--forget', 'also forget its checksum, for a model that was published anew')
  .action(async (name: string, options: { forget?: boolean }) => {
    process.exitCode = await dropModel(name, loadModelPlaces(process.env), options);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (interrupt.signal.aborted) {
    console.error('\nStopped. What came so far is kept; the same command goes on from there.');
    process.exitCode = EXIT_INTERRUPTED;
  } else if (error instanceof ConfigError) {
    for (const fault of error.faults) console.error(fault);
    process.exitCode = EXIT_CODES.misconfigured;
  } else if (error instanceof ModelError) {
    complain(error.message, error.advice);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
