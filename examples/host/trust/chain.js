// The trust chain: trust store -> remote index -> release index -> manifest -> every file's hash.
import { hex, sha256 } from './bytes.js'
import { DeliveryError } from './errors.js'
import { checkExpiry, checkSequence, checkWithdrawn } from './freshness.js'
import { MANIFEST_LIMIT, RELEASES_LIMIT, REMOTE_INDEX_LIMIT } from './json.js'
import { verifyManifest } from './manifest.js'
import { recall, remember } from './memory.js'
import { checkEntry, verifyReleases } from './releases.js'
import { checkReleases, checkReleasesBytes, verifyRemoteIndex } from './remote-index.js'

const POINTER = 'remote-index.json'

/**
 * The remote index of a source. Throws DeliveryError.
 *
 * `memory` (localStorage, for instance) remembers what was accepted; without it every index is the first.
 */
export async function openRemoteIndex(source, trust, { pointer = POINTER, memory, now = Date.now() } = {}) {
  const where = new URL(pointer, source.base).href
  const bytes = await source.read(pointer, REMOTE_INDEX_LIMIT, true)
  return accept({ bytes, where, name: where, trust, memory, now }, at => verifyRemoteIndex(bytes, trust, { at, where }))
}

/** A feature of a remote index, as `openVersion` describes it, with the active version. Throws DeliveryError. */
export async function openPinned(source, trust, entry, { memory, now = Date.now() } = {}) {
  const { featureId, releasesUrl } = entry
  const where = new URL(releasesUrl, source.base).href
  const bytes = await readPinned(source, entry)
  await checkReleasesBytes(entry, bytes, where)
  const releases = await accept({ bytes, where, name: nameOf(source, featureId), trust, memory, now }, async at => {
    const verified = await verifyReleases(bytes, trust, { featureId, at, where })
    checkReleases(entry, verified, where)
    return verified
  })
  return openVersion(source, trust, releases, releases.activeVersion)
}

/**
 * The release index `<featureId>/releases.json` of what a loader brought. Times are not judged: the loader did when it accepted
 * it, and keeps what has expired since (L13). Throws DeliveryError.
 */
export async function openDelivered(source, trust, featureId, { memory } = {}) {
  const path = `${featureId}/releases.json`
  const where = new URL(path, source.base).href
  const bytes = await source.read(path, RELEASES_LIMIT, true)
  const name = nameOf(source, featureId)
  return accept({ bytes, where, name, trust, memory }, at => verifyReleases(bytes, trust, { featureId, at, where }))
}

/** `{featureId, version, baseUrl, releases, manifest}` of a listed version (R2). Throws DeliveryError. */
export async function openVersion(source, trust, releases, version) {
  const { featureId } = releases
  const entry = releases.versions.find(listed => listed.version === version)
  const path = `${featureId}/${version}/manifest.json`
  const where = new URL(path, source.base).href
  const bytes = await source.read(path, MANIFEST_LIMIT)
  const seen = hex(await sha256(bytes))
  if (seen !== entry.manifestSha256) {
    throw new DeliveryError('integrity_mismatch', 'R2', 'not the manifest that is listed', { where, expected: entry.manifestSha256, seen })
  }
  const at = entry.publishedAt ?? Date.now()
  const { manifest } = await verifyManifest(bytes, trust, { featureId, version, at, where })
  checkEntry(entry, manifest, where)
  return { featureId, version, baseUrl: new URL(`${featureId}/${version}/`, source.base).href, releases, manifest }
}

// An edge remembers that a state was not there, where somebody asked too early. The pointer holds the same bytes, if it holds the pinned ones (I2).
async function readPinned(source, { featureId, releasesUrl, releasesSha256 }) {
  try {
    return await source.read(releasesUrl, RELEASES_LIMIT)
  } catch (error) {
    if (error.code !== 'not_found') throw error
    const bytes = await source.read(`${featureId}/releases.json`, RELEASES_LIMIT, true).catch(() => new Uint8Array())
    if (hex(await sha256(bytes)) !== releasesSha256) throw error
    return bytes
  }
}

// One memory for `releases.json` and for every `releases.<n>.json`.
function nameOf(source, featureId) {
  return new URL(`${featureId}/releases.json`, source.base).href
}

// `name` is that of the memory. `now` is undefined where times were judged before.
async function accept({ bytes, where, name, trust, memory, now }, verify) {
  const last = recall(memory, name, trust)
  const isNew = last?.sha256 !== hex(await sha256(bytes))
  const index = await verify(isNew ? now : undefined)
  checkSequence(index, last, where)
  if (index.versions !== undefined) checkWithdrawn(index, last?.withdrawn ?? [], where)
  if (isNew && now !== undefined) checkExpiry(index, now, where)
  remember(memory, name, index, last)
  return index
}
