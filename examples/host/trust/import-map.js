// From verified manifests to what makes the browser check each file.

/**
 * An import map for features as `openVersion` gives them: each one's id is imported as its first entrypoint, and every file of it
 * has its hash, so that a browser runs no module that is altered, whether it is imported now or later.
 */
export function buildImportMap(features) {
  const map = { imports: {}, integrity: {} }
  for (const { featureId, baseUrl, manifest } of features) {
    map.imports[featureId] = new URL(manifest.entrypoints.js[0], baseUrl).href
    for (const path of filesOf(manifest)) map.integrity[new URL(path, baseUrl).href] = manifest.integrity[path]
  }
  return map
}

/**
 * `{href, integrity}` of all style sheets of a feature, those of `entrypoints.css` first. The others belong to scripts that are
 * loaded later. They would link them without integrity, but for one that is there already.
 */
export function stylesheets({ baseUrl, manifest }) {
  const paths = new Set([...(manifest.entrypoints.css ?? []), ...filesOf(manifest, /\.css$/i)])
  return [...paths].map(path => ({ href: new URL(path, baseUrl).href, integrity: manifest.integrity[path] }))
}

/** The paths of a version's files, those that match `pattern`, in order. */
export function filesOf(manifest, pattern = /./) {
  return Object.keys(manifest.integrity).filter(path => pattern.test(path)).sort()
}
