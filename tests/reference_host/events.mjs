// What a file watcher as hosts use it (chokidar) tells of a root, one JSON object a line: {event, path, isWhole}.
// `isWhole` is judged when the event arrives: of a version whether all that its manifest declares is there (or nothing, where it
// has left meanwhile), of releases.json whether that is so of every version that it lists.
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { watch } from '../../examples/node_modules/chokidar/index.js'

const [root, awaitWriteFinish] = process.argv.slice(2)
const load = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'))

function isThere(featureId, version) {
  try {
    const { integrity } = load(featureId, version, 'manifest.json')
    return Object.keys(integrity).every(path => existsSync(join(root, featureId, version, path)))
  } catch {
    return false
  }
}

const isListed = (featureId, version) => load(featureId, 'releases.json').versions.some(entry => entry.version === version)

function isWhole(event, path) {
  const [featureId, name] = path.split('/')
  if (name === undefined || event.startsWith('unlink')) return true
  if (name !== 'releases.json') return isThere(featureId, name) || !existsSync(join(root, featureId, name))
  return load(featureId, name).versions.every(({ version }) => isThere(featureId, version) || !isListed(featureId, version))
}

const isHidden = path => relative(root, path).split('/').some(segment => segment.startsWith('.'))
watch(root, { ignored: isHidden, awaitWriteFinish: awaitWriteFinish === 'true' && { stabilityThreshold: 100, pollInterval: 20 } })
  .on('all', (event, path) => say(event, relative(root, path)))
  .on('ready', () => console.log(JSON.stringify({ event: 'ready', path: basename(root), isWhole: true })))

function say(event, path) {
  console.log(JSON.stringify({ event, path, isWhole: isWhole(event, path) }))
}
