// A Vite plugin: writes manifest.json (rule M1) from what the bundle really contains. It is a draft: `integrity`, `sizes` and
// `signature` are added by `cdn-release sign`, which sees the finished directory.
export function draftManifest(manifest) {
  return {
    name: 'draft-manifest',
    enforce: 'post',
    generateBundle(_options, bundle) {
      const entries = Object.values(bundle).filter(output => output.type === 'chunk' && output.isEntry)
      const js = entries.map(entry => entry.fileName)
      const css = [...new Set(entries.flatMap(entry => stylesheets(entry, bundle)))]
      const draft = { ...manifest, entrypoints: css.length > 0 ? { js, css } : { js } }
      this.emitFile({ type: 'asset', fileName: 'manifest.json', source: JSON.stringify(draft, null, 2) + '\n' })
    }
  }
}

// The style sheets of a chunk and of all that it imports statically; a lazily loaded chunk brings its own.
function stylesheets(chunk, bundle, seen = new Set()) {
  if (seen.has(chunk.fileName)) return []
  seen.add(chunk.fileName)
  const imported = chunk.imports.flatMap(name => (bundle[name] ? stylesheets(bundle[name], bundle, seen) : []))
  return [...imported, ...chunk.viteMetadata.importedCss]
}
