// Reading a document's members by name and type. Every method throws DeliveryError `schema_invalid`, which says which member.
import { DeliveryError } from './errors.js'
import { isObject } from './json.js'
import { isFeatureId, isVersion } from './names.js'

const TIME = /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z$/

/** One JSON object's members. */
export class Fields {
  constructor(members, where, rule, place = '') {
    Object.assign(this, { members, where, rule, place })
  }

  refuse(name, what, expected, seen) {
    return new DeliveryError('schema_invalid', this.rule, `${this.place}${name}: ${what}`, { where: this.where, expected, seen })
  }

  has(name) {
    return name in this.members
  }

  /** `read(name)` where there is such a member, else undefined: `optional('time', 'expiresAt')`. */
  optional(kind, name, ...rest) {
    return this.has(name) ? this[kind](name, ...rest) : undefined
  }

  anyText(name) {
    return this.#checked(name, value => typeof value === 'string', 'a string')
  }

  text(name) {
    return this.#checked(name, value => typeof value === 'string' && value !== '', 'a string that is not empty')
  }

  integer(name, minimum) {
    return this.#checked(name, value => typeof value === 'number' && value >= minimum, `an integer of at least ${minimum}`)
  }

  constant(name, expected) {
    return this.#checked(name, value => value === expected, expected)
  }

  choice(name, options) {
    return this.#checked(name, value => options.includes(value), options.join(' or '))
  }

  array(name, minimum = 0) {
    return this.#checked(name, value => Array.isArray(value) && value.length >= minimum, `an array of at least ${minimum}`)
  }

  texts(name, minimum = 0) {
    const isTexts = value => Array.isArray(value) && value.length >= minimum && value.every(item => typeof item === 'string')
    return this.#checked(name, isTexts, `an array of at least ${minimum} strings`)
  }

  object(name) {
    return new Fields(this.#checked(name, isObject, 'an object'), this.where, this.rule, `${this.place}${name}.`)
  }

  /** The items of an array of objects. */
  objects(name, minimum = 0) {
    return this.array(name, minimum).map((item, number) => {
      if (!isObject(item)) throw this.refuse(`${name}[${number}]`, 'not an object')
      return new Fields(item, this.where, this.rule, `${this.place}${name}[${number}].`)
    })
  }

  /** F5, in milliseconds since 1970. */
  time(name) {
    const text = this.text(name)
    const moment = parseTime(text)
    if (moment === undefined) throw this.refuse(name, 'not a time', 'RFC 3339 in UTC with Z (F5)', text)
    return moment
  }

  hexSha256(name) {
    return this.#checked(name, value => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value), '64 lower-case hexadecimal digits')
  }

  version(name) {
    return this.#checked(name, value => typeof value === 'string' && isVersion(value), 'a version (P2)')
  }

  featureId(name) {
    return this.#checked(name, value => typeof value === 'string' && isFeatureId(value), 'a feature id (P1)')
  }

  #checked(name, isRight, expected) {
    if (!this.has(name)) throw this.refuse(name, 'missing member')
    const value = this.members[name]
    if (!isRight(value)) throw this.refuse(name, 'wrong value', expected, JSON.stringify(value))
    return value
  }
}

/** An F5 time in milliseconds, with microseconds as a fraction; undefined for anything else, and for days that do not exist. */
export function parseTime(text) {
  const [, seconds, fraction = ''] = TIME.exec(text) ?? []
  const moment = new Date(`${seconds}Z`)
  // Date moves 30 February and 24:00 to the next day.
  if (Number.isNaN(moment.valueOf()) || moment.toISOString().slice(0, 19) !== seconds || seconds < '0001') return undefined
  return moment.valueOf() + Number(fraction.slice(1, 7).padEnd(6, '0')) / 1000
}
