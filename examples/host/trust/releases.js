// R1-R3: releases.json, the signed list of a feature's versions and the active one.
import { hex, sha256 } from './bytes.js'
import { Fields } from './fields.js'
import { RELEASES_LIMIT, parse } from './json.js'
import { LIMITS, checkLimit } from './limits.js'
import { serverFunctionsSha256 } from './manifest.js'
import { compareVersions } from './names.js'
import { DeliveryError } from './errors.js'
import { checkSignature } from './signature.js'

/**
 * The release index in `bytes`, of exactly this feature, signed by a key that may. `at` is the moment to hold against the key's
 * `validUntil`, undefined where that was judged before. Throws DeliveryError.
 */
export async function verifyReleases(bytes, trust, { featureId, at, where, limits = LIMITS }) {
  const document = parse(bytes, RELEASES_LIMIT, where)
  const index = indexOf(new Fields(document, where, 'R1'), limits)
  if (index.featureId !== featureId) {
    throw new DeliveryError('feature_mismatch', 'S4', 'a release index of another feature', { where, expected: featureId, seen: index.featureId })
  }
  const keyId = await checkSignature(document, trust, { role: 'releases', featureId, at, where })
  return { ...index, keyId, sha256: hex(await sha256(bytes)) }
}

/** R1: an entry has the module's hash exactly where the manifest has a module. Throws DeliveryError `manifest_mismatch`. */
export function checkEntry(entry, manifest, where) {
  const [expected, seen] = [serverFunctionsSha256(manifest), entry.serverFunctionsSha256]
  if (seen !== expected) {
    throw new DeliveryError('manifest_mismatch', 'R1', "serverFunctionsSha256 is not that of the manifest's module", { where, expected, seen })
  }
}

function indexOf(fields, limits) {
  fields.constant('schemaVersion', 1)
  checkLimit('versions', fields.array('versions').length, limits.versions, fields.where)
  checkChange(fields)
  const index = {
    featureId: fields.featureId('featureId'),
    sequence: fields.integer('sequence', 1),
    activeVersion: fields.version('activeVersion'),
    versions: fields.objects('versions', 1).map(entryOf),
    canary: fields.optional('object', 'channels')?.optional('version', 'canary'),
    withdrawn: fields.has('withdrawn') ? fields.objects('withdrawn').map(withdrawalOf) : [],
    previousSha256: fields.optional('hexSha256', 'previousSha256'),
    expiresAt: fields.optional('time', 'expiresAt')
  }
  fields.optional('time', 'updatedAt')
  fields.optional('object', 'channels')?.constant('stable', index.activeVersion)
  checkVersions(index, fields)
  return index
}

function entryOf(item) {
  item.optional('integer', 'bytes', 0)
  item.optional('integer', 'files', 0)
  item.optional('anyText', 'gitSha')
  item.optional('anyText', 'buildUrl')
  return {
    version: item.version('version'),
    manifestSha256: item.hexSha256('manifestSha256'),
    serverFunctionsSha256: item.optional('hexSha256', 'serverFunctionsSha256'),
    publishedAt: item.optional('time', 'publishedAt')
  }
}

function withdrawalOf(item) {
  item.hexSha256('manifestSha256')
  item.time('at')
  item.anyText('reason')
  return item.version('version')
}

function checkChange(fields) {
  const change = fields.optional('object', 'change')
  change?.text('action')
  for (const name of ['version', 'actor', 'reason', 'ticket']) change?.optional('anyText', name)
  const removed = fields.optional('object', 'removed')
  removed?.time('at')
  removed?.anyText('reason')
}

function checkVersions({ sequence, previousSha256, activeVersion, canary, versions, withdrawn }, fields) {
  if (sequence === 1 && previousSha256 !== undefined) throw fields.refuse('previousSha256', 'sequence 1 has no state before it (R3)')
  const listed = versions.map(entry => entry.version)
  for (const [at, version] of listed.entries()) {
    if (at > 0 && compareVersions(listed[at - 1], version) <= 0) throw fields.refuse('versions', 'not unique and descending')
  }
  if (!listed.includes(activeVersion)) throw fields.refuse('activeVersion', 'not a listed version')
  if (canary !== undefined && !listed.includes(canary)) throw fields.refuse('channels.canary', 'not a listed version')
  if (withdrawn.some(version => listed.includes(version))) throw fields.refuse('withdrawn', 'a listed version is withdrawn')
}
