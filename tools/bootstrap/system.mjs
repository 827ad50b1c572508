import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Stop, say } from './say.mjs';

/**
 * Something that npm cannot bring.
 * @typedef {object} SystemPart
 * @property {string} name as Debian calls it
 * @property {string} purpose
 * @property {() => boolean} present
 */

/** @type {SystemPart} */
const REDIS = {
  name: 'redis-server',
  purpose: 'keeps the conversations',
  present: () => onPath('redis-server') || onPath('valkey-server'),
};
/** @type {SystemPart} */
const FLITE = { name: 'flite', purpose: 'speaks offline', present: () => onPath('flite') };
/** @type {SystemPart} */
const POCKETSPHINX = {
  name: 'libpocketsphinx3',
  purpose: 'hears offline',
  present: () => hasLibrary('libpocketsphinx'),
};
/** @type {SystemPart} */
const POCKETSPHINX_MODEL = {
  name: 'pocketsphinx-en-us',
  purpose: 'its English',
  present: () => SHARE_FOLDERS.some((share) => existsSync(join(share, 'pocketsphinx/model/en-us'))),
};

export const SYSTEM_PARTS = [REDIS, FLITE, POCKETSPHINX, POCKETSPHINX_MODEL];

const SHARE_FOLDERS = ['/usr/share', '/usr/local/share', '/opt/homebrew/share'];
const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/opt/homebrew/lib'];

/**
 * What `npm start` needs: parts whose place is taken by a server or another engine are not missed.
 * @param {Record<string, string | undefined>} settings
 * @returns {SystemPart[]}
 */
export function neededForStart(settings) {
  const offlineStt = isOffline('PARLEY_STT_', 'pocketsphinx', settings);
  const offlineTts = isOffline('PARLEY_TTS_', 'flite', settings);
  return [
    ...(settings.REDIS_URL ? [] : [REDIS]),
    ...(offlineTts ? [FLITE] : []),
    ...(offlineStt ? [POCKETSPHINX, POCKETSPHINX_MODEL] : []),
  ];
}

/** What makes `auto` choose another engine than the offline one. */
const BETTER = ['BASE_URL', 'API_KEY', 'DEEPGRAM_URL', 'DEEPGRAM_API_KEY', 'MODEL_DIR'];

/**
 * @param {string} prefix of the stage's settings
 * @param {string} offlineEngine
 * @param {Record<string, string | undefined>} settings
 */
function isOffline(prefix, offlineEngine, settings) {
  const engine = settings[`${prefix}ENGINE`] ?? 'auto';
  if (engine === 'auto') return !BETTER.some((name) => settings[prefix + name]);
  return engine.split(',').includes(offlineEngine);
}

/**
 * Installs missing parts where that is possible without asking, and otherwise stops with the command that does it.
 * @param {SystemPart[]} parts
 * @param {Record<string, string | undefined>} env
 */
export async function ensureSystem(parts, env) {
  const missing = parts.filter((part) => !part.present());
  if (missing.length === 0) return;
  const names = missing.map((part) => part.name);
  const list = missing.map((part) => `${part.name} (${part.purpose})`).join(', ');
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !isDebian() || env.PARLEY_NO_INSTALL === '1') {
    throw new Stop(`this machine lacks ${list}.\n${installHint(names, isRoot)}`);
  }
  say(`this machine lacks ${list}: installing with apt-get`);
  runApt(['update', '-qq']);
  runApt(['install', '-y', '-qq', '--no-install-recommends', ...names]);
  const still = missing.filter((part) => !part.present()).map((part) => part.name);
  if (still.length > 0) throw new Stop(`apt-get ended well, yet ${still.join(', ')} cannot be found`);
  say('installed');
}

/** @param {string[]} args */
function runApt(args) {
  const { status, error } = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (error) throw new Stop(`apt-get could not be started: ${error.message}`);
  if (status !== 0) throw new Stop(`apt-get ${args[0]} failed with exit code ${status}; its messages are above`);
}

/**
 * @typedef {object} Platform
 * @property {string} tool the package manager's program
 * @property {(packages: string) => string} command
 * @property {Record<string, string>} packages by Debian's names
 * @property {string} [remark]
 */

/** @type {Platform[]} */
const PLATFORMS = [
  {
    tool: 'apt-get',
    command: (packages) => `apt-get update && apt-get install -y ${packages}`,
    packages: Object.fromEntries(SYSTEM_PARTS.map(({ name }) => [name, name])),
  },
  {
    tool: 'dnf',
    command: (packages) => `dnf install -y ${packages}`,
    packages: {
      'redis-server': 'redis',
      flite: 'flite',
      libpocketsphinx3: 'pocketsphinx-libs',
      'pocketsphinx-en-us': 'pocketsphinx-models',
    },
  },
  {
    tool: 'pacman',
    command: (packages) => `pacman -S --needed ${packages}`,
    packages: { 'redis-server': 'valkey', flite: 'flite' },
    remark: 'pocketsphinx is in the AUR',
  },
  {
    tool: 'brew',
    command: (packages) => `brew install ${packages}`,
    packages: {
      'redis-server': 'redis',
      flite: 'flite',
      libpocketsphinx3: 'cmu-pocketsphinx',
      'pocketsphinx-en-us': 'cmu-pocketsphinx',
    },
  },
];

/**
 * @param {string[]} names
 * @param {boolean} isRoot
 */
function installHint(names, isRoot) {
  const platform = PLATFORMS.find(({ tool }) => onPath(tool));
  if (platform === undefined) return `Install ${names.join(', ')} (as Debian names them) and try again.`;
  const packages = [...new Set(names.flatMap((name) => platform.packages[name] ?? []))].join(' ');
  const sudo = isRoot || platform.tool === 'brew' ? '' : 'sudo ';
  const command = platform.command(packages).replaceAll('&& ', `&& ${sudo}`);
  const lacking = names.some((name) => platform.packages[name] === undefined);
  return `Install with:\n\n  ${sudo}${command}\n${lacking && platform.remark ? `\n(${platform.remark})\n` : ''}`;
}

function isDebian() {
  if (!onPath('apt-get')) return false;
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false;
  }
}

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Looks where the loader looks: into its folders, one level of architecture below them. @param {string} name */
function hasLibrary(name) {
  return LIBRARY_FOLDERS.some((folder) => {
    const entries = listFolder(folder);
    const architectures = entries.filter((entry) => entry.includes('-linux-')).map((entry) => join(folder, entry));
    return [entries, ...architectures.map(listFolder)].flat().some((file) => file.startsWith(`${name}.`));
  });
}

/** @param {string} folder */
function listFolder(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
