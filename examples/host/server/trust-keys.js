// S5: the trust store is read again each time; one that cannot be read is an error at start, and later the last good one stays.
import { readFile } from 'node:fs/promises'
import { parseTrustStore } from '../trust/index.js'

/** A trust store in a file: `bytes` for browsers, `keys` for this process. */
export class TrustKeys {
  #file
  #log
  #last
  #fault

  constructor(file, log) {
    this.#file = file
    this.#log = log
  }

  /** `{bytes, keys}`, the same object until there is another good one. Throws only where there never was one. */
  async read() {
    try {
      const bytes = await readFile(this.#file)
      if (!this.#last?.bytes.equals(bytes)) this.#last = { bytes, keys: await parseTrustStore(bytes, this.#file) }
      this.#fault = undefined
    } catch (error) {
      if (!this.#last) throw error
      if (this.#fault !== error.message) this.#log(`the trust store of before stays in force: ${error.message}`)
      this.#fault = error.message
    }
    return this.#last
  }
}
