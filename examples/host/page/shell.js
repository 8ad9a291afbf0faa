// The shell: verify, build the import map, mount. What fails fails alone, and is said.
import { DeliveryError, buildImportMap, parseTrustStore } from '../trust/index.js'
import { mountable } from './mounting.js'
import { openDirectory, openRemote } from './opening.js'
import { addProbe, probe } from './probe.js'
import { showFeature, showProblem, showSource, showState, showStatus } from './view.js'

const nonce = document.querySelector('script[nonce]').nonce

try {
  await start()
} catch (error) {
  showProblem({ title: 'Nothing is shown', error })
  showStatus('')
}

async function start() {
  const [trust, host] = await Promise.all([readTrust(), fetch('/host.json').then(response => response.json())])
  const opened = await (host.source === 'remote' ? openRemote : openDirectory)(host, trust)
  showSource(opened)
  for (const feature of opened.features) showFeature(feature, opened)
  for (const { featureId, error, isKept } of opened.problems) {
    showProblem({ featureId, error, isKept, title: isKept ? `${featureId}: an update was refused; the last good version stays` : `${featureId}: refused` })
  }
  // One import map, before the first feature is imported: it holds the hashes of all scripts of all features.
  insertImportMap(addProbe(buildImportMap(opened.features)))
  await probe()
  const features = opened.features.map(feature => mountable(feature, failed))
  await follow(features)
}

async function readTrust() {
  const response = await fetch('/trust.json')
  if (!response.ok) throw new DeliveryError('configuration_invalid', 'S5', 'the host has no trust store', { seen: response.status })
  return parseTrustStore(new Uint8Array(await response.arrayBuffer()), 'trust.json')
}

function insertImportMap(map) {
  const script = document.createElement('script')
  Object.assign(script, { type: 'importmap', nonce, textContent: JSON.stringify(map) })
  document.head.append(script)
}

// A path belongs to the domain feature with its prefix. Any other path shows all of them; facets are always shown.
async function follow(features) {
  const update = async () => {
    const owner = features.find(feature => feature.owns(location.pathname))
    const wanted = features.filter(feature => feature.isFacet || !owner || feature === owner)
    await Promise.all(features.map(feature => (wanted.includes(feature) ? feature.show() : feature.hide())))
    for (const feature of features) showState(feature.featureId, feature.isShown ? 'mounted' : 'verified')
    const shown = wanted.filter(feature => feature.isShown)
    showStatus(shown.length === wanted.length ? '' : `${shown.length} of ${wanted.length} features are mounted`)
  }
  // One after the other: a feature that is still loading is neither mounted twice nor shown where it no longer belongs.
  let last = Promise.resolve()
  const updateInTurn = () => (last = last.then(update))
  // Features change the address by themselves, which only the Navigation API tells.
  globalThis.navigation?.addEventListener('currententrychange', updateInTurn)
  await updateInTurn()
}

function failed(feature, error) {
  showProblem({ featureId: feature.featureId, error, title: `${feature.manifest.displayName} ${feature.version}: blocked` })
}
