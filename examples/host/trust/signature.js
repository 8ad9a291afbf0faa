// S1, S2: signatures over documents.
import { fromBase64 } from './bytes.js'
import { canonical, isObject } from './json.js'
import { DeliveryError } from './errors.js'
import { keyFor } from './trust-store.js'

const MEMBERS = ['algorithm', 'keyId', 'value']

/** The id of the trusted key that signed `document` and may (S1-S4); `asked` as in `keyFor`. Throws DeliveryError. */
export async function checkSignature(document, trust, asked) {
  const { signature, ...unsigned } = document
  const { keyId, value } = signatureOf(signature, asked.where)
  const key = keyFor(trust, keyId, asked)
  if (!(await crypto.subtle.verify('Ed25519', key, value, canonical(unsigned)))) {
    throw invalid(`the signature of key ${keyId} is not over this content`, asked.where)
  }
  return keyId
}

// To the letter: anything else is no signature.
function signatureOf(signature, where) {
  if (!isObject(signature)) throw invalid('no signature', where)
  const names = Object.keys(signature)
  if (names.length !== MEMBERS.length || !MEMBERS.every(name => names.includes(name))) throw invalid(`not exactly ${MEMBERS}`, where)
  const { algorithm, keyId, value } = signature
  if (algorithm !== 'ed25519') throw invalid('the algorithm is not ed25519', where)
  if (typeof keyId !== 'string' || keyId === '') throw invalid('no key id', where)
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes?.length !== 64) throw invalid('the value is not the base64 of 64 bytes', where)
  return { keyId, value: bytes }
}

function invalid(what, where) {
  return new DeliveryError('signature_invalid', 'S2', what, { where })
}
