import { DeliveryError } from './errors.js'

/** P4; all of them can be set otherwise. */
export const LIMITS = {
  files: 10_000,
  versionBytes: 512 * 2 ** 20,
  fileBytes: 256 * 2 ** 20,
  versions: 200,
  features: 10_000
}

/** Throws DeliveryError `limit_exceeded` where `seen` is more than `limit`. */
export function checkLimit(what, seen, limit, where) {
  if (seen > limit) throw new DeliveryError('limit_exceeded', 'P4', `too many ${what}`, { where, expected: `at most ${limit}`, seen })
}
