// The command line and the environment. Flags win.
import { parseArgs } from 'node:util'

export const USAGE = `node host.js (--root DIR | --remote-index URL) --trust-keys FILE [--port N] [--address ADDRESS] [--json]

  --root DIR           what the loader wrote               FEATURE_HOST_ROOT
  --remote-index URL   a CDN's remote-index.json           FEATURE_REMOTE_INDEX_URL
  --trust-keys FILE    the trust store                     FEATURE_HOST_TRUST_KEYS
  --port N             8080; 0 is one that is free         FEATURE_HOST_PORT
  --address ADDRESS    127.0.0.1                           FEATURE_HOST_ADDRESS
  --json               say where it listens as JSON`

const OPTIONS = {
  root: { type: 'string' },
  'remote-index': { type: 'string' },
  'trust-keys': { type: 'string' },
  port: { type: 'string' },
  address: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' }
}
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/

/** A setting is missing or wrong. */
export class SettingsError extends Error {}

/** `{help}`, or `{root | remoteIndexUrl, trustKeys, port, address, json}`. Throws SettingsError. */
export function readSettings(words, environment) {
  const flags = parse(words)
  if (flags.help) return { help: true }
  const chosen = flags.root || flags['remote-index'] ? flags : { root: environment.FEATURE_HOST_ROOT, 'remote-index': environment.FEATURE_REMOTE_INDEX_URL }
  if (Boolean(chosen.root) === Boolean(chosen['remote-index'])) throw new SettingsError('exactly one of --root and --remote-index is needed')
  const trustKeys = flags['trust-keys'] ?? environment.FEATURE_HOST_TRUST_KEYS
  if (!trustKeys) throw new SettingsError('--trust-keys is needed')
  return {
    root: chosen.root,
    remoteIndexUrl: chosen['remote-index'] && checkUrl(chosen['remote-index']),
    trustKeys,
    port: checkPort(flags.port ?? environment.FEATURE_HOST_PORT ?? '8080'),
    address: flags.address ?? environment.FEATURE_HOST_ADDRESS ?? '127.0.0.1',
    json: flags.json
  }
}

function parse(words) {
  try {
    return parseArgs({ args: words, options: OPTIONS }).values
  } catch (error) {
    throw new SettingsError(error.message)
  }
}

// As the loader (C3): plain http is for loopback.
function checkUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url.href
  throw new SettingsError('--remote-index must be an https URL; plain http is for loopback')
}

function checkPort(text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65535)) throw new SettingsError('--port must be a number up to 65535')
  return port
}
