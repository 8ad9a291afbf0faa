// Mounting one feature, and finding out why it could not be.
import { DeliveryError, filesOf, integrityOf, stylesheets } from '../trust/index.js'

/** A verified feature with `show()` and `hide()`; `onFailure(feature, error)` is called for each thing that is blocked. */
export function mountable(feature, onFailure) {
  const { manifest } = feature
  const isFacet = manifest.featureType === 'facet'
  const prefix = isFacet ? undefined : manifest.mount.pathPrefix
  const element = placeFor(feature)
  let module

  const self = {
    ...feature,
    isFacet,
    isShown: false,
    owns: path => prefix !== undefined && (path === prefix || path.startsWith(`${prefix}/`)),
    async show() {
      if (self.isShown) return
      try {
        module ??= await load(feature)
        element.closest('.shell-place').hidden = false
        module.mount(element, { basePath: prefix })
        self.isShown = true
      } catch (error) {
        onFailure(self, await explain(feature, error))
      }
    },
    hide() {
      element.closest('.shell-place').hidden = true
      if (!self.isShown) return
      self.isShown = false
      try {
        module.unmount(element)
      } catch (error) {
        onFailure(self, new Error(`unmount: ${error?.message ?? error}`))
      }
    }
  }
  // A chunk that is loaded later is a failure that only the feature sees, unless it lets it through.
  addEventListener('unhandledrejection', async event => {
    if (!String(event.reason?.message).includes(feature.baseUrl)) return
    onFailure(self, await explain(feature, event.reason))
  })
  return self
}

function placeFor({ featureId, manifest }) {
  // M1: only a domain feature has a place of its own; what a facet says of one is not interpreted.
  const isDomain = manifest.featureType === 'domain'
  const place = document.createElement(isDomain ? 'section' : 'div')
  place.className = isDomain ? 'shell-place shell-feature' : 'shell-place'
  place.hidden = true
  place.dataset.feature = featureId
  if (isDomain) place.setAttribute('aria-label', manifest.displayName)
  const element = document.createElement('div')
  if (isDomain) element.id = manifest.mount.domElementId
  place.append(element)
  document.getElementById(isDomain ? 'shell-stage' : 'shell-facets').append(place)
  return element
}

async function load(feature) {
  await Promise.all(stylesheets(feature).map(link))
  return import(feature.featureId)
}

function link({ href, integrity }) {
  return new Promise((resolve, reject) => {
    const element = document.createElement('link')
    Object.assign(element, { rel: 'stylesheet', crossOrigin: 'anonymous', integrity, href })
    element.onload = resolve
    element.onerror = () => reject(new Error(`the style sheet ${href} was not loaded`))
    document.head.append(element)
  })
}

/**
 * A browser does not say why it blocked a file, so the files are looked at once more. `reload` also replaces the altered copy that
 * is in the browser's cache by now, which would be blocked for as long as it lives there.
 */
async function explain({ baseUrl, manifest }, error) {
  for (const path of filesOf(manifest, /\.([cm]?js|css)$/i)) {
    const where = new URL(path, baseUrl).href
    const expected = manifest.integrity[path]
    const response = await fetch(where, { cache: 'reload' }).catch(() => undefined)
    if (!response?.ok) return new DeliveryError('not_found', 'M2', 'the file is not served', { where, seen: response?.status ?? 'no answer' })
    const seen = await integrityOf(await response.arrayBuffer())
    if (seen !== expected) {
      return new DeliveryError('integrity_mismatch', 'M2', 'blocked by the browser: integrity is not as signed', { where, expected, seen })
    }
  }
  return new DeliveryError('transport_failed', 'M2', 'every file is as signed by now, but the feature did not start', { where: baseUrl, seen: error?.message ?? error })
}
