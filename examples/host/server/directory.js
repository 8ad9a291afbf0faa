// What a loader brings, verified before it is served, and followed as it changes.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { watch } from 'chokidar'
import { DeliveryError, openDelivered, openVersion } from '../trust/index.js'
import { isFeatureId } from '../trust/names.js'
import { DiskSource, asDeliveryError, checkFiles } from './disk.js'

const POINTER = 'releases.json'
// A watcher drops what follows an event too closely, and some file systems tell it nothing: so look once more, and now and then.
const AGAIN_MS = 250
const BACKSTOP_MS = 5000

/** The features below a root, each in its last good state. */
export class Directory {
  #features = new Map()
  #problems = new Map()
  #taken = new Map()
  #memory = new Accepted()
  #trust
  #work = Promise.resolve()
  #isAsked = false
  #watcher
  #again
  #backstop

  /** `trustKeys` is a TrustKeys, `log` takes a line for people. */
  constructor(root, trustKeys, log) {
    this.root = resolve(root)
    this.trustKeys = trustKeys
    this.log = log
  }

  /** Verify what is there, and follow it from now on. Throws where there is no such directory. */
  async start() {
    await readdir(this.root)
    // Any event is only a reason to look. releases.json decides: it is swapped last, by a rename, when all it names is there (L3).
    this.#watcher = watch(this.root, { depth: 1, ignored: join(this.root, '.loader') })
    this.#watcher.on('all', () => this.#changed())
    this.#watcher.on('error', error => this.log(`watching ${this.root}: ${error.message}`))
    this.#backstop = setInterval(() => this.#look(), BACKSTOP_MS)
    await new Promise(ready => this.#watcher.once('ready', ready))
    await this.#look()
  }

  async close() {
    clearInterval(this.#backstop)
    clearTimeout(this.#again)
    await this.#watcher.close()
    await this.#work
  }

  /** The ids of the features that can be shown. */
  ids() {
    return [...this.#features.keys()].sort()
  }

  /** `{featureId, code, rule, message, isKept}` of all whose newest state is not shown; `isKept`: an older one is. */
  problems() {
    return [...this.#problems].map(([featureId, { code, rule, message }]) => ({ featureId, code, rule, message, isKept: this.#features.has(featureId) }))
  }

  /**
   * What to serve for a path below the root: `bytes` of a document, or `file`, the path of a file that a verified manifest
   * lists. Undefined for all else, whatever is on disk.
   */
  find(path) {
    const [featureId, version, ...rest] = path.split('/')
    const feature = this.#features.get(featureId)
    const bytes = feature?.documents.get(path)
    if (bytes) return { bytes, isPointer: version === POINTER }
    const manifest = feature?.manifests.get(version)
    return manifest && rest.join('/') in manifest.integrity ? { file: path } : undefined
  }

  #changed() {
    this.#look()
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#look(), AGAIN_MS)
  }

  // One look after the other; those that are asked for meanwhile are one.
  #look() {
    if (!this.#isAsked) {
      this.#isAsked = true
      this.#work = this.#work.then(() => this.#lookAtAll()).catch(error => this.log(`looking at ${this.root}: ${error.message}`))
    }
    return this.#work
  }

  async #lookAtAll() {
    this.#isAsked = false
    const { keys } = await this.trustKeys.read()
    if (keys !== this.#trust) this.#taken.clear()
    this.#trust = keys
    const present = (await readdir(this.root)).filter(isFeatureId)
    for (const featureId of new Set([...present, ...this.#features.keys(), ...this.#problems.keys()])) {
      await this.#lookAt(featureId)
    }
  }

  async #lookAt(featureId) {
    // S5: what stands is asked for again under another trust store, and is not kept where a key was removed.
    const mayKeep = this.#features.get(featureId)?.trust === this.#trust
    try {
      const identity = await identityOf(join(this.root, featureId, POINTER), `artifacts:/${featureId}/${POINTER}`)
      if (identity === undefined) return this.#gone(featureId)
      if (identity === this.#taken.get(featureId)) return
      const next = await this.#verified(featureId)
      this.#features.set(featureId, mayKeep ? withEarlier(next, this.#features.get(featureId)) : next)
      this.#problems.delete(featureId)
      this.#taken.set(featureId, identity)
      this.log(`${featureId}: sequence ${next.releases.sequence}, active ${next.releases.activeVersion}`)
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      if (!mayKeep) this.#features.delete(featureId)
      this.#refused(featureId, error)
    }
  }

  // It is looked at again each time: a loader mends what is wrong without a new index (L6).
  #refused(featureId, error) {
    this.#taken.delete(featureId)
    if (this.#problems.get(featureId)?.message === error.message) return
    this.#problems.set(featureId, error)
    const standing = this.#features.has(featureId) ? 'the last good state stays' : 'not shown'
    this.log(`${featureId}: ${standing}: ${error.message} [${error.code}, ${error.rule}]`)
  }

  // The loader took it away: the feature has left, or nothing of it may be served just now (L6, L12, S5).
  #gone(featureId) {
    if (this.#features.delete(featureId)) this.log(`${featureId}: gone`)
    this.#problems.delete(featureId)
    this.#taken.delete(featureId)
  }

  async #verified(featureId) {
    const source = new DiskSource(this.root)
    const releases = await openDelivered(source, this.#trust, featureId, { memory: this.#memory })
    const manifests = new Map()
    for (const { version } of releases.versions) {
      const opened = await openVersion(source, this.#trust, releases, version)
      await checkFiles(this.root, opened)
      manifests.set(version, opened.manifest)
    }
    return { releases, manifests, documents: source.documents, trust: this.#trust }
  }
}

// A page that is open still loads chunks of the version that it began with. What is withdrawn is served to nobody (R6).
function withEarlier(next, earlier) {
  if (!earlier) return next
  const manifests = new Map([...earlier.manifests, ...next.manifests])
  const documents = new Map([...earlier.documents, ...next.documents])
  for (const version of next.releases.withdrawn) {
    manifests.delete(version)
    documents.delete(`${next.releases.featureId}/${version}/manifest.json`)
  }
  return { ...next, manifests, documents }
}

// A swap is another file in its place; undefined where there is none.
async function identityOf(file, where) {
  try {
    const { ino, mtimeNs, size } = await stat(file, { bigint: true })
    return `${ino} ${mtimeNs} ${size}`
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw asDeliveryError(error, where)
  }
}

/** What was accepted since the start, as localStorage would keep it. */
class Accepted {
  #items = new Map()

  getItem(name) {
    return this.#items.get(name)
  }

  setItem(name, text) {
    this.#items.set(name, text)
  }
}
