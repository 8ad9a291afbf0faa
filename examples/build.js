// Builds every version of every feature into dist/<featureId>/<version>/, a version directory as `cdn-release sign` takes it.
import { cp, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'vite'
import { draftManifest } from './draft-manifest.js'

const ROOT = import.meta.dirname
const DIST = join(ROOT, 'dist')

const started = performance.now()
await rm(DIST, { recursive: true, force: true })
for (const feature of await readFeatures()) {
  for (const version of feature.versions) {
    const output = join(DIST, feature.manifest.id, version)
    await buildVersion(feature, version, output)
    const { files, bytes } = await measure(output)
    console.log(`${feature.manifest.id.padEnd(22)} ${version}  ${String(files).padStart(5)} files ${String(Math.ceil(bytes / 1000)).padStart(6)} kB`)
  }
}
console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`)

async function readFeatures() {
  const folders = (await readdir(ROOT)).filter(name => name.startsWith('feature-')).sort()
  return Promise.all(
    folders.map(async name => ({
      folder: join(ROOT, name),
      ...JSON.parse(await readFile(join(ROOT, name, 'feature.json'), 'utf8'))
    }))
  )
}

async function buildVersion(feature, version, output) {
  await build({
    root: feature.folder,
    configFile: false,
    envDir: false,
    publicDir: false,
    logLevel: 'warn',
    // Relative addresses: the same bytes work under any host name, prefix or mirror.
    base: './',
    // What differs between two versions stands in versions/<version>/; everything else is shared source.
    resolve: { alias: { '#version': join(feature.folder, 'versions', version) } },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    plugins: [draftManifest({ id: feature.manifest.id, version, ...feature.manifest })],
    build: {
      outDir: output,
      emptyOutDir: false,
      // Images stay files of their own.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      license: { fileName: 'licenses.md' },
      rolldownOptions: {
        input: { [feature.manifest.id]: join(feature.folder, feature.entry) },
        // The host imports `mount` and `unmount` from the entry, and only them.
        preserveEntrySignatures: 'strict',
        output: { codeSplitting: { groups: chunkGroups(feature) } }
      }
    }
  })
  for (const [target, source] of Object.entries(feature.copy ?? {})) {
    await cp(join(ROOT, 'node_modules', source), join(output, target), { recursive: true })
  }
}

// Chunks that change at their own pace keep their hashed name from one version to the next, so an update fetches only the rest.
function chunkGroups(feature) {
  const own = Object.entries(feature.chunks ?? {}).map(([name, file]) => ({ name, test: id => id === join(feature.folder, file) }))
  return [...own, { name: 'vendor', test: /node_modules|preload-helper/ }]
}

async function measure(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    entries.filter(entry => entry.isFile()).map(async entry => (await readFile(join(entry.parentPath, entry.name))).length)
  )
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
}
