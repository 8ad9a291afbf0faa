// What examples/host/trust says of the vectors of tests/vectors: one JSON object, file name -> answers in the vectors' order.
// An answer is {code} ("ok", or what it is refused with), for documents also {canonical}.
import { readFileSync } from 'node:fs'
import { DeliveryError } from '../../examples/host/trust/errors.js'
import { hex, sha256 } from '../../examples/host/trust/bytes.js'
import { parseTime } from '../../examples/host/trust/fields.js'
import { checkExpiry, checkSequence, checkWithdrawn } from '../../examples/host/trust/freshness.js'
import { canonical, parse } from '../../examples/host/trust/json.js'
import { LIMITS } from '../../examples/host/trust/limits.js'
import { verifyManifest } from '../../examples/host/trust/manifest.js'
import { checkPaths, compareVersions, isFeatureId, isVersion } from '../../examples/host/trust/names.js'
import { checkEntry, verifyReleases } from '../../examples/host/trust/releases.js'
import { checkReleases, checkReleasesBytes, verifyRemoteIndex } from '../../examples/host/trust/remote-index.js'
import { parseTrustStore } from '../../examples/host/trust/trust-store.js'

const load = name => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'))
const encode = text => new TextEncoder().encode(text)
const content = vector => (vector.text === undefined ? new Uint8Array(Buffer.from(vector.base64, 'base64')) : encode(vector.text))
const stores = Object.fromEntries(load('trust.json').vectors.map(vector => [vector.name, vector]))
const trustOf = vector => parseTrustStore(content(stores[vector.trust]))
const asked = vector => ({
  ...vector,
  at: vector.at ? parseTime(vector.at) : undefined,
  where: 'vector',
  limits: { ...LIMITS, ...vector.limits }
})

const JUDGES = {
  'trust.json': vector => parseTrustStore(content(vector)),
  'documents.json': vector => ({ canonical: Buffer.from(canonical(parse(content(vector), vector.limit, 'vector'))).toString() }),
  'manifests.json': async vector => verifyManifest(content(vector), await trustOf(vector), asked(vector)),
  'release-indexes.json': async vector => verifyReleases(content(vector), await trustOf(vector), asked(vector)),
  'remote-indexes.json': async vector => verifyRemoteIndex(content(vector), await trustOf(vector), asked(vector)),
  'links.json': vector => (vector.releases === undefined ? linkToManifest(vector) : linkToReleases(vector)),
  'histories.json': async vector => {
    const index = await verifyReleases(content(vector), await trustOf(vector), asked({ ...vector, at: vector.now }))
    checkSequence(index, vector.accepted ?? undefined, 'vector', vector.minimum)
    checkExpiry(index, parseTime(vector.now), 'vector')
    checkWithdrawn(index, vector.withdrawn, 'vector')
  }
}

async function linkToReleases(vector) {
  const remote = await verifyRemoteIndex(content(vector), await trustOf(vector), asked(vector))
  const entry = remote.features.find(feature => feature.featureId === vector.featureId)
  await checkReleasesBytes(entry, encode(vector.releases), 'vector')
  checkReleases(entry, await verifyReleases(encode(vector.releases), await trustOf(vector), asked(vector)), 'vector')
}

async function linkToManifest(vector) {
  const trust = await trustOf(vector)
  const { versions: [entry] } = await verifyReleases(content(vector), trust, asked(vector))
  if (hex(await sha256(encode(vector.manifest))) !== entry.manifestSha256) throw new DeliveryError('integrity_mismatch', 'R2', 'another')
  const { manifest } = await verifyManifest(encode(vector.manifest), trust, { ...asked(vector), version: entry.version })
  checkEntry(entry, manifest, 'vector')
}

async function answer(judge, vector) {
  try {
    return { code: 'ok', canonical: (await judge(vector))?.canonical }
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    return { code: error.code }
  }
}

async function answers(judge, vectors) {
  const said = []
  for (const vector of vectors) said.push(await answer(judge, vector))
  return said
}

const names = load('names.json')
const valid = (isValid, code) => item => ({ code: isValid(item.text) ? 'ok' : code })
const foreign = load('foreign/canonical.json')
const result = {
  featureIds: names.featureIds.map(valid(isFeatureId, 'schema_invalid')),
  versions: names.versions.map(valid(isVersion, 'schema_invalid')),
  times: names.times.map(valid(text => parseTime(text) !== undefined, 'schema_invalid')),
  paths: await answers(item => checkPaths([item.text], 'vector'), names.paths),
  pathSets: await answers(item => checkPaths(item.paths, 'vector'), names.pathSets),
  ascendingVersions: names.ascendingVersions.toReversed().sort(compareVersions),
  foreign: await answers(JUDGES['documents.json'], [...foreign.accepted, ...foreign.refused].map(item => ({ ...item, limit: 2 ** 20 })))
}
for (const [name, judge] of Object.entries(JUDGES)) result[name] = await answers(judge, load(name).vectors)
console.log(JSON.stringify(result))
