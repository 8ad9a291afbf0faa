// P: feature ids, versions and paths. A bad one is refused, never repaired.
import { DeliveryError } from './errors.js'

const FEATURE_ID = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const NUMBER = '(?:0|[1-9][0-9]*)'
const IDENTIFIER = `(?:${NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`
const SEMVER = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${IDENTIFIER}(?:\\.${IDENTIFIER})*)?$`)
// Printable ASCII without space, and without \ : * ? " < > | # %
const SEGMENT = /^(?!\.)[!$&'()+,\-.0-9;=@A-Z[\]^_`a-z{}~]{1,255}$/

/** P1. */
export function isFeatureId(text) {
  return FEATURE_ID.test(text)
}

/** P2. */
export function isVersion(text) {
  return text.length <= 128 && SEMVER.test(text)
}

/** P2: negative where `one` is the lower, by SemVer precedence. */
export function compareVersions(one, other) {
  const [a, b] = [one, other].map(split)
  return compareLists(a.release, b.release) || Number(a.pre.length === 0) - Number(b.pre.length === 0) || compareLists(a.pre, b.pre)
}

/** P3, of all paths of one version. Throws DeliveryError `path_invalid`. */
export function checkPaths(paths, where) {
  // With a separator that sorts below all other characters, what is under a folder directly follows the folder's name.
  const folded = paths.map(path => checkPath(path, where).toLowerCase().replaceAll('/', '\0')).sort()
  for (const [index, path] of folded.entries()) {
    const next = folded[index + 1]
    if (next === path) throw badPath(path, 'twice, when case is folded', where)
    if (next?.startsWith(`${path}\0`)) throw badPath(path, 'both a file and a folder', where)
  }
}

function checkPath(path, where) {
  const segments = path.split('/')
  if (path.length > 1024 || !segments.every(segment => SEGMENT.test(segment))) throw badPath(path, 'not allowed', where)
  if (segments[0].toLowerCase() === 'manifest.json') throw badPath(path, 'manifest.json at the top is reserved', where)
  return path
}

function badPath(path, why, where) {
  return new DeliveryError('path_invalid', 'P3', `bad path: ${why}`, { where, seen: path })
}

function split(version) {
  const dash = version.indexOf('-')
  const release = dash < 0 ? version : version.slice(0, dash)
  return { release: release.split('.'), pre: dash < 0 ? [] : version.slice(dash + 1).split('.') }
}

function compareLists(one, other) {
  for (let at = 0; at < Math.min(one.length, other.length); at += 1) {
    const order = compareIdentifiers(one[at], other[at])
    if (order !== 0) return order
  }
  return one.length - other.length
}

// SemVer 11.4: numbers by value and below words, words in ASCII order. A number may be longer than Number can hold.
function compareIdentifiers(one, other) {
  const [a, b] = [one, other].map(part => /^[0-9]+$/.test(part))
  if (a && b && one.length !== other.length) return one.length - other.length
  if (a !== b) return a ? -1 : 1
  return one === other ? 0 : one < other ? -1 : 1
}
