// An old browser ignores the integrity of import maps without a word: there nothing would be checked. So it is put to the test.
import { DeliveryError } from '../trust/index.js'

// No feature is named so (P1).
const NAME = 'integrity.probe'
const WRONG = `sha256-${'A'.repeat(43)}=`

/** The import map with one entry more, whose hash is wrong. */
export function addProbe(map) {
  const url = new URL('/page/probed.js', location.href).href
  return { imports: { ...map.imports, [NAME]: url }, integrity: { ...map.integrity, [url]: WRONG } }
}

/** Throws DeliveryError where that entry can be imported. */
export async function probe() {
  const isIgnored = await import(NAME).then(() => true, () => false)
  if (isIgnored) throw new DeliveryError('configuration_invalid', 'M2', 'this browser does not keep to the integrity of import maps')
}
