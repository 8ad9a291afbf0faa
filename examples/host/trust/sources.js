// Where documents are read from. A source has `base`, the URL that all paths are relative to, and `read(path, limit, fresh)`.
import { DeliveryError } from './errors.js'

/** A CDN, a mirror or a host, read with fetch. */
export class HttpSource {
  constructor(base) {
    this.base = new URL('.', base).href
  }

  /** At most `limit` bytes. `fresh` asks the server again, since a pointer's copy may be old; all else is immutable. Throws DeliveryError. */
  async read(path, limit, fresh = false) {
    const where = new URL(path, this.base).href
    try {
      const response = await fetch(where, { cache: fresh ? 'no-cache' : 'default', redirect: 'error' })
      if (!response.ok) {
        const code = response.status === 404 ? 'not_found' : 'transport_failed'
        throw new DeliveryError(code, 'L9', 'not answered', { where, expected: 200, seen: response.status })
      }
      return await bounded(response.body, limit, where)
    } catch (error) {
      if (error instanceof DeliveryError) throw error
      throw new DeliveryError('transport_failed', 'L9', 'cannot be read (offline, or no CORS)', { where, seen: error.message })
    }
  }
}

// F1: a document's size is judged while it comes, not after.
async function bounded(body, limit, where) {
  const chunks = []
  let length = 0
  for (const reader = body.getReader(); ;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > limit) {
      await reader.cancel()
      throw new DeliveryError('limit_exceeded', 'F1', 'document too long', { where, expected: `${limit} bytes` })
    }
    chunks.push(value)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}
