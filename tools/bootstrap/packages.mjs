import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stop, say } from './say.mjs';

/**
 * Runs `npm ci` when what is installed is not what package-lock.json asks for.
 * @param {string} root
 */
export async function ensurePackages(root) {
  const why = whyInstall(root);
  if (why === undefined) return;
  if (process.env.PARLEY_NO_INSTALL === '1') throw new Stop(`${why}; run: ONNXRUNTIME_NODE_INSTALL=skip npm ci`);
  say(`${why}: running npm ci, which takes a minute or two`);
  const [program, args] = npm();
  const startedMs = Date.now();
  const { status, error } = spawnSync(program, [...args, 'ci', '--include=dev', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    // The package brings its CPU build with it; what its script would fetch from elsewhere is the GPU's.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (error) throw new Stop(`npm could not be started: ${error.message}`);
  if (status !== 0) throw new Stop(`npm ci failed with exit code ${status}; its messages are above`);
  say(`packages installed in ${Math.round((Date.now() - startedMs) / 1000)} s`);
}

/** The npm that runs this, if one does: it may not be the one on the PATH. @returns {[string, string[]]} */
function npm() {
  const running = process.env.npm_execpath ?? '';
  return running.endsWith('npm-cli.js') && existsSync(running) ? [process.execPath, [running]] : ['npm', []];
}

/**
 * Compares the lock file with the one that npm keeps of what it installed. Dates say nothing: a checkout sets them anew.
 * @param {string} root
 * @returns {string | undefined}
 */
function whyInstall(root) {
  const installed = readPackages(join(root, 'node_modules/.package-lock.json'));
  if (installed === undefined) return 'the npm packages are not installed';
  if (!existsSync(join(root, 'node_modules/.bin/node'))) return 'node_modules lacks its own Node';
  const locked = readPackages(join(root, 'package-lock.json')) ?? {};
  for (const [path, entry] of Object.entries(locked)) {
    // Optional packages are those of this platform only; the projects of this repository are not installed but linked.
    if (!path.includes('node_modules/') || entry.optional || entry.devOptional || entry.peer) continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (installed[path] === undefined) return `the npm package ${name} is missing`;
    if (installed[path].version !== entry.version)
      return `the npm package ${name} is not the version that is asked for`;
  }
  return undefined;
}

/**
 * @param {string} path
 * @returns {Record<string, { version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }> | undefined}
 */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
