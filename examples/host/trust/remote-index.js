// I: remote-index.json, the signed list of all features of an environment.
import { hex, sha256 } from './bytes.js'
import { Fields } from './fields.js'
import { REMOTE_INDEX_LIMIT, parse } from './json.js'
import { LIMITS, checkLimit } from './limits.js'
import { DeliveryError } from './errors.js'
import { checkSignature } from './signature.js'

/** The remote index in `bytes`, signed by a key with the role `index`; `at` as in `verifyReleases`. Throws DeliveryError. */
export async function verifyRemoteIndex(bytes, trust, { at, where, limits = LIMITS }) {
  const document = parse(bytes, REMOTE_INDEX_LIMIT, where)
  const index = indexOf(new Fields(document, where, 'I1'), limits)
  const keyId = await checkSignature(document, trust, { role: 'index', at, where })
  return { ...index, keyId, sha256: hex(await sha256(bytes)) }
}

/** I2: the bytes are those vouched for, whatever else they are. Throws DeliveryError `integrity_mismatch`. */
export async function checkReleasesBytes(entry, bytes, where) {
  const seen = hex(await sha256(bytes))
  if (seen !== entry.releasesSha256) {
    throw new DeliveryError('integrity_mismatch', 'I2', 'not the release index that the remote index names', { where, expected: entry.releasesSha256, seen })
  }
}

/** I2: the release index says the state that the remote index says. Throws DeliveryError `schema_invalid`. */
export function checkReleases(entry, releases, where) {
  const [expected, seen] = [entry, releases].map(state => `sequence ${state.sequence}, active ${state.activeVersion}`)
  if (seen !== expected) {
    throw new DeliveryError('schema_invalid', 'I2', 'the remote index says another state than the release index', { where, expected, seen })
  }
}

function indexOf(fields, limits) {
  fields.constant('schemaVersion', 1)
  fields.constant('kind', 'remote-index')
  fields.time('generatedAt')
  checkLimit('features', fields.array('features').length, limits.features, fields.where)
  const index = {
    sequence: fields.integer('sequence', 1),
    features: fields.objects('features').map(entryOf),
    previousSha256: fields.optional('hexSha256', 'previousSha256'),
    expiresAt: fields.optional('time', 'expiresAt')
  }
  if (fields.has('withdrawn')) fields.objects('withdrawn').forEach(checkWithdrawal)
  if (index.sequence === 1 && index.previousSha256 !== undefined) throw fields.refuse('previousSha256', 'sequence 1 has no state before it (R3)')
  const ids = index.features.map(entry => entry.featureId)
  if (ids.some((id, at) => at > 0 && ids[at - 1] >= id)) throw fields.refuse('features', 'not unique and sorted by featureId')
  return index
}

function entryOf(item) {
  const featureId = item.featureId('featureId')
  const sequence = item.integer('sequence', 1)
  const activeVersion = item.version('activeVersion')
  const channels = item.object('channels')
  channels.constant('stable', activeVersion)
  channels.optional('version', 'canary')
  return {
    featureId,
    sequence,
    activeVersion,
    // I2: written out in full, but never free to point elsewhere
    baseUrl: item.constant('baseUrl', `${featureId}/`),
    releasesUrl: item.constant('releasesUrl', `${featureId}/releases.${sequence}.json`),
    releasesSha256: item.hexSha256('releasesSha256')
  }
}

function checkWithdrawal(item) {
  item.featureId('featureId')
  item.time('at')
  item.anyText('reason')
}
