// F: strict JSON in (F1, F2), canonical JSON out (F4, RFC 8785). JSON.parse alone takes repeated members, 1.0, 1e3 and -0.
import { DeliveryError } from './errors.js'

export const MANIFEST_LIMIT = 2 ** 20
export const RELEASES_LIMIT = 2 ** 20
export const REMOTE_INDEX_LIMIT = 2 ** 23
const NESTING_LIMIT = 32

/** The JSON object in `bytes`, which are at most `limit`. Objects in it have no prototype. Throws DeliveryError. */
export function parse(bytes, limit, where) {
  if (bytes.length > limit) {
    throw new DeliveryError('limit_exceeded', 'F1', 'document too long', { where, expected: `${limit} bytes`, seen: bytes.length })
  }
  const value = new Parser(decode(bytes, where), where).document()
  if (!isObject(value)) throw new DeliveryError('schema_invalid', 'F2', 'not an object', { where })
  return value
}

/** The RFC 8785 form of a parsed value, as bytes. */
export function canonical(value) {
  return new TextEncoder().encode(text(value))
}

export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// sort() compares UTF-16 code units and JSON.stringify writes the shortest escapes, both as RFC 8785 asks.
function text(value) {
  if (Array.isArray(value)) return `[${value.map(text).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.keys(value).sort().map(name => `${JSON.stringify(name)}:${text(value[name])}`).join(',')}}`
}

function decode(bytes, where) {
  try {
    // A byte-order mark is kept, and so refused by the parser.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new DeliveryError('document_invalid', 'F1', 'not UTF-8', { where })
  }
}

class Parser {
  #text
  #where
  #at = 0

  constructor(text, where) {
    this.#text = text
    this.#where = where
  }

  document() {
    const value = this.#value(1)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#invalid('something after the document')
    return value
  }

  #value(depth) {
    this.#skipSpace()
    switch (this.#text[this.#at]) {
      case '{': return this.#object(depth)
      case '[': return this.#array(depth)
      case '"': return this.#string()
      case 't': return this.#literal('true', true)
      case 'f': return this.#literal('false', false)
      case 'n': return this.#literal('null', null)
      default: return this.#number()
    }
  }

  #object(depth) {
    const members = Object.create(null)
    this.#items('}', depth, () => {
      this.#skipSpace()
      const name = this.#string()
      if (name in members) throw this.#invalid('duplicate member')
      this.#skipSpace()
      if (!this.#takes(':')) throw this.#invalid('no colon')
      members[name] = this.#value(depth + 1)
    })
    return members
  }

  #array(depth) {
    const items = []
    this.#items(']', depth, () => items.push(this.#value(depth + 1)))
    return items
  }

  #items(end, depth, takeOne) {
    if (depth > NESTING_LIMIT) {
      throw new DeliveryError('limit_exceeded', 'F1', 'nested too deep', { where: this.#where, expected: `at most ${NESTING_LIMIT} levels` })
    }
    this.#at += 1
    this.#skipSpace()
    if (this.#takes(end)) return
    do {
      takeOne()
      this.#skipSpace()
    } while (this.#takes(','))
    if (!this.#takes(end)) throw this.#invalid(`no comma and no ${end}`)
  }

  #string() {
    const start = this.#at
    if (!this.#takes('"')) throw this.#invalid('not a value')
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length) throw this.#invalid('a string without end')
      this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    }
    this.#at += 1
    const value = this.#unescaped(this.#text.slice(start, this.#at))
    if (!value.isWellFormed()) throw this.#invalid('a lone surrogate')
    return value
  }

  #unescaped(literal) {
    try {
      return JSON.parse(literal)
    } catch {
      throw this.#invalid('a bad string')
    }
  }

  #number() {
    const spelling = this.#match(/0|-?[1-9][0-9]*/y)
    if (spelling === undefined) throw this.#invalid('not a value')
    const value = Number(spelling)
    if (!Number.isSafeInteger(value)) throw this.#invalid('not an integer in ±(2^53-1)')
    return value
  }

  #literal(word, value) {
    if (!this.#text.startsWith(word, this.#at)) throw this.#invalid('not a value')
    this.#at += word.length
    return value
  }

  #takes(character) {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #skipSpace() {
    this.#match(/[ \t\r\n]*/y)
  }

  #match(pattern) {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #invalid(what) {
    return new DeliveryError('document_invalid', 'F2', `not strict JSON: ${what} at character ${this.#at}`, { where: this.#where })
  }
}
