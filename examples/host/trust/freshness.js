// R3, R4, R6, L13: whether a verified index may follow what was accepted before.
import { DeliveryError } from './errors.js'

const CLOCK_TOLERANCE = 5 * 60 * 1000

/** Whether `expiresAt` has passed at `now` (both in milliseconds), 5 minutes of tolerance included. */
export function isExpired(index, now) {
  return index.expiresAt !== undefined && now - CLOCK_TOLERANCE > index.expiresAt
}

/** L13: no expired index is accepted as new. Throws DeliveryError `expired`. */
export function checkExpiry(index, now, where) {
  if (!isExpired(index, now)) return
  const [expected, seen] = [`an expiry after ${new Date(now).toISOString()}`, new Date(index.expiresAt).toISOString()]
  throw new DeliveryError('expired', 'L13', 'the index has expired', { where, expected, seen })
}

/**
 * R4 and, where the state directly before is known, the chain of R3. `last` is what was accepted before, `{sequence, sha256}`,
 * or undefined. Throws DeliveryError `sequence_rollback` or `sequence_fork`.
 */
export function checkSequence(index, last, where, minimum = 0) {
  const floor = Math.max(minimum, last?.sequence ?? 0)
  if (index.sequence < floor) {
    const expected = `sequence ${floor} or higher`
    throw new DeliveryError('sequence_rollback', 'R4', 'an older index than the one accepted before', { where, expected, seen: index.sequence })
  }
  if (index.sequence === last?.sequence && index.sha256 !== last.sha256) {
    throw fork('R4', `two different indexes of sequence ${index.sequence}`, where, last.sha256, index.sha256)
  }
  if (index.sequence === last?.sequence + 1 && ![undefined, last.sha256].includes(index.previousSha256)) {
    throw fork('R3', `sequence ${index.sequence} does not follow the one accepted before`, where, last.sha256, index.previousSha256)
  }
}

/** R6: a version whose withdrawal was accepted is refused from then on. Throws DeliveryError `version_withdrawn`. */
export function checkWithdrawn(releases, withdrawn, where) {
  const back = releases.versions.find(entry => withdrawn.includes(entry.version))
  if (back !== undefined) {
    throw new DeliveryError('version_withdrawn', 'R6', 'lists a version whose withdrawal was accepted before', { where, seen: back.version })
  }
}

function fork(rule, what, where, expected, seen) {
  return new DeliveryError('sequence_fork', rule, what, { where, expected, seen })
}
