// M: manifest.json, the signed description of one version.
import { fromBase64, hex } from './bytes.js'
import { Fields } from './fields.js'
import { MANIFEST_LIMIT, isObject, parse } from './json.js'
import { LIMITS, checkLimit } from './limits.js'
import { checkPaths } from './names.js'
import { DeliveryError } from './errors.js'
import { checkSignature } from './signature.js'

// White space, controls and backslashes mean different things to different readers of URLs.
const ENDPOINT = /^https?:\/\/[^\s\\/?#@\x00-\x1f\x7f]+([/?#][^\s\\\x00-\x1f\x7f]*)?$/i

/**
 * The manifest in `bytes`, of exactly this feature and version, signed by a key that may (M1-M4, S4). `at` is the version's
 * `publishedAt`. The answer is the document itself; `keyId` says who signed it. Throws DeliveryError.
 */
export async function verifyManifest(bytes, trust, { featureId, version, at, where, limits = LIMITS }) {
  const document = parse(bytes, MANIFEST_LIMIT, where)
  const fields = new Fields(document, where, 'M1')
  checkMembers(fields)
  checkFiles(fields, limits)
  checkEntrypoints(fields)
  checkServerFunctions(fields)
  if (document.id !== featureId) {
    throw new DeliveryError('feature_mismatch', 'S4', 'a manifest of another feature', { where, expected: featureId, seen: document.id })
  }
  if (document.version !== version) {
    throw new DeliveryError('manifest_mismatch', 'R2', 'a manifest of another version', { where, expected: version, seen: document.version })
  }
  const keyId = await checkSignature(document, trust, { role: 'manifest', featureId, at, where })
  return { manifest: document, keyId }
}

/** R1: lower-case hex of the hash of the server functions' module; undefined where there is none. */
export function serverFunctionsSha256(manifest) {
  const module = manifest.serverFunctions?.module
  return module === undefined ? undefined : hex(digest(manifest.integrity[module]))
}

function checkMembers(fields) {
  fields.featureId('id')
  fields.version('version')
  fields.text('displayName')
  fields.choice('channel', ['stable', 'canary'])
  fields.object('entrypoints').texts('js', 1)
  fields.object('entrypoints').optional('texts', 'css', 1)
  if (fields.choice('featureType', ['domain', 'facet']) === 'domain') {
    fields.object('mount').text('pathPrefix')
    fields.object('mount').text('domElementId')
    fields.array('routes', 1)
  } else {
    fields.optional('array', 'routes', 1)
  }
}

function checkFiles(fields, limits) {
  const { members: integrity } = fields.object('integrity')
  const paths = Object.keys(integrity)
  checkLimit('files', paths.length, limits.files, fields.where)
  checkPaths(paths, fields.where)
  for (const path of paths) {
    if (digest(integrity[path])?.length !== 32) {
      throw new DeliveryError('schema_invalid', 'M2', `integrity of ${path}`, { where: fields.where, expected: 'sha256-<base64>', seen: JSON.stringify(integrity[path]) })
    }
  }
  if (fields.has('sizes')) checkSizes(fields, paths, limits)
}

function checkSizes(fields, paths, limits) {
  const sizes = new Fields(fields.object('sizes').members, fields.where, 'M3', 'sizes.')
  if (Object.keys(sizes.members).length !== paths.length || !paths.every(path => sizes.has(path))) throw sizes.refuse('', 'not the paths of integrity')
  const bytes = paths.map(path => sizes.integer(path, 0))
  for (const size of bytes) checkLimit('bytes in a file', size, limits.fileBytes, fields.where)
  checkLimit('bytes', bytes.reduce((sum, size) => sum + size, 0), limits.versionBytes, fields.where)
}

function checkEntrypoints(fields) {
  const { js, css = [] } = fields.members.entrypoints
  for (const path of [...js, ...css]) {
    if (!(path in fields.members.integrity)) {
      throw new DeliveryError('schema_invalid', 'M4', 'an entrypoint that integrity does not list', { where: fields.where, seen: path })
    }
  }
}

function checkServerFunctions(fields) {
  if (!fields.has('serverFunctions')) return
  const server = fields.object('serverFunctions')
  if (server.has('module') === server.has('endpoint')) throw server.refuse('', 'exactly one of module and endpoint must be there')
  const { exports } = server.members
  if (!(Array.isArray(exports) || isObject(exports)) || Object.keys(exports).length === 0) throw server.refuse('exports', 'missing or empty')
  if (server.has('endpoint')) {
    if (!isEndpoint(server.text('endpoint'))) throw server.refuse('endpoint', 'not an absolute http(s) URL without credentials')
  } else if (!(server.text('module') in fields.members.integrity)) {
    throw server.refuse('module', 'a file that integrity does not list')
  }
}

function isEndpoint(text) {
  return ENDPOINT.test(text) && URL.canParse(text) && new URL(text).port !== '0'
}

// M2: `sha256-<base64>`.
function digest(value) {
  return typeof value === 'string' && value.startsWith('sha256-') ? fromBase64(value.slice('sha256-'.length)) : undefined
}
