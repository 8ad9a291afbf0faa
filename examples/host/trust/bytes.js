// Hashes and base64, as the format writes them.

/** The SHA-256 of `bytes`, as 32 bytes. */
export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

/** Lower-case hexadecimal. */
export function hex(bytes) {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

/** M2: `sha256-<base64>`, which is what `integrity` means to a browser, too. */
export async function integrityOf(bytes) {
  return `sha256-${base64(await sha256(bytes))}`
}

/** Standard alphabet, padded, canonical, no white space (S2); undefined for anything else, and for more than a key or a hash. */
export function fromBase64(text) {
  if (text.length > 128 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  return base64(bytes) === text ? bytes : undefined
}

function base64(bytes) {
  return btoa(String.fromCharCode(...bytes))
}
