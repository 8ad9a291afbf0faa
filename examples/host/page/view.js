// What the shell says: the features, where they came from, and what failed.
import { isExpired } from '../trust/index.js'

const byId = id => document.getElementById(id)
const PROBLEMS = { kept: 'last good version', failed: 'blocked' }

/** One entry of the navigation. */
export function showFeature({ featureId, version, releases, manifest }, { origin }) {
  const path = manifest.featureType === 'domain' ? manifest.mount.pathPrefix : undefined
  const title = isOurs(path) ? create('a', { href: path, textContent: manifest.displayName }) : create('span', { textContent: manifest.displayName })
  if (path !== undefined && location.pathname.startsWith(path)) title.setAttribute('aria-current', 'page')
  const entry = create('li', {}, [
    create('h2', {}, [title, create('span', { className: 'shell-version', textContent: version })]),
    facts([
      ['Id', featureId],
      ['Type', manifest.featureType],
      ['Channel', manifest.channel],
      ['Sequence', releases.sequence],
      ['From', origin],
      ['Index expires', expiry(releases)],
      ['State', '']
    ])
  ])
  entry.dataset.feature = featureId
  byId('shell-features').append(entry)
  showState(featureId, 'verified')
}

// A prefix may be any text (M1), also `javascript:…` or another site's address.
function isOurs(path) {
  return path !== undefined && URL.canParse(path, location.href) && new URL(path, location.href).origin === location.origin
}

/** `verified`, `mounted`, `kept` (an older state than the newest) or `failed`; what is wrong is not called right again. */
export function showState(featureId, state) {
  const entry = document.querySelector(`#shell-features [data-feature="${featureId}"]`)
  if (!entry || (entry.dataset.state in PROBLEMS && !(state in PROBLEMS))) return
  entry.dataset.state = state
  entry.querySelector('dd:last-child').textContent = PROBLEMS[state] ?? state
}

/** What is said once for all features. */
export function showSource({ origin, index }) {
  const said = [['Features from', origin], ['Verified', 'in this browser']]
  if (index) said.push(['Remote index', `sequence ${index.sequence}, key ${index.keyId}`], ['Expires', expiry(index)])
  byId('shell-source').replaceWith(Object.assign(facts(said), { id: 'shell-source' }))
}

/** Something was refused or blocked. `isKept`: an older state is shown instead. */
export function showProblem({ featureId = '', title, error, isKept = false }) {
  const text = `${error.message}${error.code ? ` [${error.code}, ${error.rule}]` : ''}`
  if (document.querySelector(`.shell-problem[data-feature="${featureId}"] code`)?.textContent === text) return
  const box = create('div', { className: `shell-problem${isKept ? ' is-kept' : ''}` }, [
    create('h2', { textContent: title }),
    create('p', {}, [create('code', { textContent: text })])
  ])
  Object.assign(box.dataset, { feature: featureId, code: error.code ?? '' })
  byId('shell-problems').append(box)
  showState(featureId, isKept ? 'kept' : 'failed')
}

/** One line about the whole. */
export function showStatus(text) {
  byId('shell-status').textContent = text
}

function expiry(index) {
  if (index.expiresAt === undefined) return 'never'
  const text = new Date(index.expiresAt).toISOString().slice(0, 16).replace('T', ' ')
  return `${text} UTC${isExpired(index, Date.now()) ? ' (has expired)' : ''}`
}

function facts(pairs) {
  const items = pairs.flatMap(([name, value]) => [create('dt', { textContent: name }), create('dd', { textContent: value })])
  return create('dl', { className: 'shell-facts' }, items)
}

function create(tag, properties, children = []) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}
