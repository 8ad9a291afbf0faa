// S3-S6: which key may sign what.
import { fromBase64 } from './bytes.js'
import { Fields } from './fields.js'
import { isObject, parse } from './json.js'
import { DeliveryError } from './errors.js'

const LIMIT = 2 ** 20
const ROLES = ['manifest', 'releases', 'index']
const MEMBERS = ['publicKey', 'roles', 'features', 'validUntil']
const [PEM_START, PEM_END] = ['-----BEGIN PUBLIC KEY-----', '-----END PUBLIC KEY-----']
// RFC 8410: an Ed25519 key's SubjectPublicKeyInfo is these bytes and the key's 32.
const SPKI_PREFIX = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]

/** The keys of a trust store, in both forms of S3: key id -> entry. Throws DeliveryError `configuration_invalid`. */
export async function parseTrustStore(bytes, where = 'trust store') {
  const entries = new Map()
  try {
    for (const [keyId, value] of Object.entries(parse(bytes, LIMIT, where))) {
      entries.set(keyId, await entry(keyId, value, `${where}: ${keyId}`))
    }
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    throw new DeliveryError('configuration_invalid', 'S3', `bad trust store: ${error.what}`, error)
  }
  if (entries.size === 0) throw new DeliveryError('configuration_invalid', 'S5', 'the trust store has no key', { where })
  return entries
}

/**
 * The CryptoKey of an entry, if it may sign this. `featureId` is undefined where scope does not apply (role `index`); `at` is
 * the moment to hold against `validUntil`, undefined where that was judged before.
 */
export function keyFor(trust, keyId, { role, featureId, at, where }) {
  const found = trust.get(keyId)
  if (found === undefined) {
    throw new DeliveryError('key_unknown', 'S3', 'signed with a key that is not trusted', { where, expected: [...trust.keys()].join(', '), seen: keyId })
  }
  const { key, roles, features, validUntil } = found
  if (!roles.includes(role)) throw notAllowed(keyId, 'S4', where, `the role ${role}`, roles)
  if (featureId !== undefined && !features.some(pattern => covers(pattern, featureId))) {
    throw notAllowed(keyId, 'S4', where, `a scope with ${featureId}`, features)
  }
  if (at !== undefined && at > validUntil) {
    throw notAllowed(keyId, 'S6', where, `a moment until ${new Date(validUntil).toISOString()}`, new Date(at).toISOString())
  }
  return key
}

function covers(pattern, featureId) {
  return pattern.endsWith('*') ? featureId.startsWith(pattern.slice(0, -1)) : featureId === pattern
}

function notAllowed(keyId, rule, where, expected, seen) {
  return new DeliveryError('key_not_allowed', rule, `key ${keyId} may not sign this`, { where, expected, seen: seen.toString() || 'nothing' })
}

async function entry(keyId, value, where) {
  if (keyId === '') throw misconfigured('empty key id', where)
  if (typeof value === 'string') return { key: await publicKey(value, where), roles: ROLES, features: ['*'] }
  if (!isObject(value)) throw misconfigured('neither a public key nor an object', where)
  // A misspelt `validUntil` would otherwise trust for ever.
  const unknown = Object.keys(value).filter(name => !MEMBERS.includes(name))
  if (unknown.length > 0) throw misconfigured('unknown member', where, unknown)
  const fields = new Fields(value, where, 'S3')
  const [roles, features] = [fields.texts('roles'), fields.texts('features')]
  if (!roles.every(role => ROLES.includes(role))) throw misconfigured('unknown role', where, roles)
  if (features.some(pattern => pattern === '' || pattern.slice(0, -1).includes('*'))) {
    throw misconfigured("bad feature pattern: '*' stands only at the end", where, features)
  }
  return { key: await publicKey(fields.text('publicKey'), where), roles, features, validUntil: fields.optional('time', 'validUntil') }
}

async function publicKey(text, where) {
  const trimmed = text.trim()
  const raw = trimmed.startsWith(PEM_START) && trimmed.endsWith(PEM_END) ? fromPem(trimmed) : fromBase64(trimmed)
  if (raw?.length !== 32) throw misconfigured('neither an Ed25519 SPKI PEM nor the base64 of 32 bytes', where)
  return crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify'])
}

function fromPem(text) {
  const der = fromBase64(text.slice(PEM_START.length, -PEM_END.length).replace(/\s/g, ''))
  return SPKI_PREFIX.every((byte, at) => der?.[at] === byte) ? der.slice(SPKI_PREFIX.length) : undefined
}

function misconfigured(what, where, seen) {
  return new DeliveryError('configuration_invalid', 'S3', what, { where, seen })
}
