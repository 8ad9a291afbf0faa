// Where features come from: a CDN that this browser reads, or the host's directory.
import { DeliveryError, HttpSource, openDelivered, openPinned, openRemoteIndex, openVersion } from '../trust/index.js'

// What was accepted is remembered where the browser allows it.
const memory = storage()

/** `{origin, index, features, problems}` of the remote index that the host names. Throws where the index itself is refused. */
export async function openRemote({ remoteIndexUrl }, trust) {
  const source = new HttpSource(remoteIndexUrl)
  const index = await openRemoteIndex(source, trust, { pointer: remoteIndexUrl, memory })
  const opened = await openAll(index.features, entry => openPinned(source, trust, entry, { memory }))
  return { origin: `CDN ${new URL(source.base).host}`, index, ...opened }
}

/** The same of what the host has in its directory; there is no remote index. */
export async function openDirectory({ features, problems }, trust) {
  const source = new HttpSource(new URL('/artifacts/', location.href))
  const opened = await openAll(features.map(featureId => ({ featureId })), async ({ featureId }) => {
    const releases = await openDelivered(source, trust, featureId, { memory })
    return openVersion(source, trust, releases, releases.activeVersion)
  })
  const refused = problems.map(({ featureId, isKept, ...error }) => ({ featureId, isKept, error }))
  return { origin: "this pod's directory", features: opened.features, problems: [...opened.problems, ...refused] }
}

async function openAll(entries, open) {
  const features = []
  const problems = []
  await Promise.all(entries.map(async entry => {
    try {
      features.push(await open(entry))
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      problems.push({ featureId: entry.featureId, error })
    }
  }))
  features.sort((one, other) => (one.featureId < other.featureId ? -1 : 1))
  return { features, problems }
}

function storage() {
  try {
    return globalThis.localStorage
  } catch {
    return undefined
  }
}
