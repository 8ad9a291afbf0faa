// R4, R6: what a reader has accepted, so that it never goes back. Kept in anything with getItem and setItem, as localStorage has.

/** The state accepted before under `name`, `{sequence, sha256, keyId, withdrawn}`, or undefined. */
export function recall(memory, name, trust) {
  const state = parsed(memory?.getItem(name))
  // With a removed key goes the floor that it set: a leaked key could have set one that no honest index reaches.
  return trust.has(state?.keyId) ? state : undefined
}

/** Remember an accepted index, and every withdrawal ever accepted. */
export function remember(memory, name, { sequence, sha256, keyId, withdrawn = [] }, last) {
  const all = [...new Set([...(last?.withdrawn ?? []), ...withdrawn])]
  try {
    memory?.setItem(name, JSON.stringify({ sequence, sha256, keyId, withdrawn: all }))
  } catch {
    // A full storage protects less. That is no reason to show nothing.
  }
}

// What is damaged is lost, and then the next index is the first (L7).
function parsed(text) {
  try {
    const state = JSON.parse(text ?? 'null')
    return Array.isArray(state?.withdrawn) ? state : undefined
  } catch {
    return undefined
  }
}
