// Only what Biome cannot do: rules that need types, and the boundaries between projects.
// Run it through Nx (`npx nx run-many -t lint`): without a project graph the boundary rule skips itself in silence.
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/**
 * The table of who may depend on whom, by the tags in each project's package.json.
 * @param {string[]} also tags that every project may depend on besides
 * @param {string[]} [allow] imports that are not looked at
 */
function boundaries(also, allow = []) {
  /** @type {[sourceTag: string, allowed: string[]][]} */
  const table = [
    ['layer:core', ['layer:core']],
    ['layer:platform', []],
    ['layer:bus', ['layer:core', 'layer:platform']],
    ['layer:stage', ['layer:core', 'layer:platform', 'layer:bus']],
    ['layer:app', ['layer:core', 'layer:platform', 'layer:bus', 'layer:stage']],
    ['platform:neutral', ['platform:neutral']],
    ['platform:browser', ['platform:neutral', 'platform:browser']],
    ['platform:node', ['platform:neutral', 'platform:node']],
    ['type:tool', ['type:lib', 'type:tool']],
    ['type:test', ['type:lib', 'type:test']],
  ];
  return [
    'error',
    {
      allow,
      depConstraints: table.map(([sourceTag, allowed]) => ({
        sourceTag,
        onlyDependOnLibsWithTags: [...allowed, ...also],
      })),
      // The testkit is built on the libraries whose tests use it.
      ignoredCircularDependencies: [['tag:type:test', '*']],
    },
  ];
}

export default tseslint.config(
  { ignores: ['**/node_modules', '**/dist', '**/coverage', '.nx', '.parley', 'tools/check/known-bad'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { '@typescript-eslint': tseslint.plugin, '@nx': nx },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@nx/enforce-module-boundaries': boundaries([]),
    },
  },
  {
    // The benchmark runs whole systems, as the tests do.
    files: ['**/*.test.ts', 'tools/bench/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['type:test']) },
  },
  {
    // Nx takes a project of this name for an app, and its files' imports of each other for imports of one.
    files: ['e2e/**/*.ts'],
    rules: { '@nx/enforce-module-boundaries': boundaries(['type:test'], ['./*.ts']) },
  },
);
