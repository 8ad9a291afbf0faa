// Verifies signed features, in a browser as in Node, and builds the import map from them. No dependencies.
export { integrityOf } from './bytes.js'
export { openDelivered, openPinned, openRemoteIndex, openVersion } from './chain.js'
export { DeliveryError } from './errors.js'
export { isExpired } from './freshness.js'
export { buildImportMap, filesOf, stylesheets } from './import-map.js'
export { HttpSource } from './sources.js'
export { parseTrustStore } from './trust-store.js'
