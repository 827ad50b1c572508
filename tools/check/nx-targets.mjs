// An Nx plugin: gives every project with a tsconfig.json the targets `lint` and `types`, so that none can forget them.
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const inputs = ['sources', '^sources', 'settings'];

/** @param {string} projectRoot @param {string} workspaceRoot */
function targetsOf(projectRoot, workspaceRoot) {
  // A library for the browser has a second configuration that compiles its sources without Node's types.
  const configs = readdirSync(join(workspaceRoot, projectRoot)).filter((name) => /^tsconfig(\..+)?\.json$/.test(name));
  return {
    lint: {
      command: 'eslint --max-warnings=0 .',
      options: { cwd: projectRoot },
      // The boundary rule looks at the tags of every project.
      inputs: [...inputs, '{workspaceRoot}/eslint.config.mjs', '{workspaceRoot}/*/*/package.json'],
      cache: true,
    },
    types: {
      command: configs.map((config) => `tsc -p ${config}`).join(' && '),
      options: { cwd: projectRoot },
      inputs,
      cache: true,
    },
  };
}

export const name = 'parley-targets';

export const createNodesV2 = [
  '{{apps,libs,tools,infra}/*/,e2e/,web/,}tsconfig.json',
  (configFiles, _options, { workspaceRoot }) =>
    configFiles.map((configFile) => {
      const root = dirname(configFile);
      return [configFile, { projects: { [root]: { targets: targetsOf(root, workspaceRoot) } } }];
    }),
];
