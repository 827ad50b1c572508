/**
 * The exports of a package that is CommonJS to Node, where they all hang on `default`, and to bundlers an ES module
 * without one. Takes the namespace of `import * as`.
 */
export function commonJsExports<Exports extends object>(namespace: Exports): Exports {
  return (namespace as { default?: Exports }).default ?? namespace;
}
