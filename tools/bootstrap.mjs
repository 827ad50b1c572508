#!/usr/bin/env node
// What the scripts of package.json run: makes sure that everything is there, then hands over to the command.
// Needs nothing but Node, for it comes before `npm ci`.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { effectiveEnvironment } from './bootstrap/environment.mjs';
import { launch } from './bootstrap/launch.mjs';
import { ensurePackages } from './bootstrap/packages.mjs';
import { Stop, say } from './bootstrap/say.mjs';
import { ensureSystem, neededForStart, SYSTEM_PARTS } from './bootstrap/system.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const node = join(bin, 'node');

/**
 * @typedef {object} Command
 * @property {(args: string[]) => [program: string, args: string[]]} run
 * @property {(settings: Record<string, string | undefined>) => import('./bootstrap/system.mjs').SystemPart[]} needs
 * @property {boolean} [inCallersFolder] its arguments name files as the caller sees them
 * @property {boolean} [ownsSignals] it tells one Ctrl-C from two by itself, however often it hears of it
 */

/** @type {Record<string, Command>} */
const COMMANDS = {
  start: { run: (args) => [node, ['tools/start/main.ts', ...args]], needs: neededForStart, ownsSignals: true },
  talk: { run: (args) => [node, [join(root, 'tools/talk/main.ts'), ...args]], needs: () => [], inCallersFolder: true },
  models: { run: (args) => [node, ['tools/models/main.ts', ...args]], needs: () => [] },
  bench: { run: (args) => [node, ['tools/bench/main.ts', ...args]], needs: neededForStart },
  test: { run: (args) => [join(bin, 'vitest'), ['run', ...args]], needs: () => SYSTEM_PARTS },
  check: { run: (args) => [node, ['tools/check/main.ts', ...args]], needs: () => [] },
};

/** @param {string[]} argv */
async function main([name = '', ...args]) {
  const command = COMMANDS[name];
  if (command === undefined)
    throw new Stop(`"${name}" is no command; there are ${Object.keys(COMMANDS).join(', ')}`, 64);
  const onlyHelp = args.includes('--help') || args.includes('-h');
  await ensurePackages(root);
  if (!onlyHelp) await ensureSystem(command.needs(effectiveEnvironment(process.env)), process.env);
  const [program, programArgs] = command.run(args);
  // npm runs its scripts in the root, whatever folder the person is in.
  const folder = command.inCallersFolder ? (process.env.INIT_CWD ?? process.cwd()) : root;
  return launch(program, programArgs, { folder, bin, ownsSignals: command.ownsSignals ?? false });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
