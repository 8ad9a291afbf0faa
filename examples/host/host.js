#!/usr/bin/env node
// The reference host. `node host.js --help` says how to start it; README.md says what it shows.
import { Directory } from './server/directory.js'
import { createHost } from './server/http.js'
import { SettingsError, USAGE, readSettings } from './server/settings.js'
import { TrustKeys } from './server/trust-keys.js'
import { DeliveryError } from './trust/index.js'

try {
  await main()
} catch (error) {
  if (!(error instanceof SettingsError || error instanceof DeliveryError || error.syscall)) throw error
  console.error(error.message)
  process.exitCode = 2
}

async function main() {
  const settings = readSettings(process.argv.slice(2), process.env)
  if (settings.help) return console.log(USAGE)
  const trustKeys = new TrustKeys(settings.trustKeys, log)
  await trustKeys.read()

  const directory = settings.root && new Directory(settings.root, trustKeys, log)
  await directory?.start()
  const server = createHost({ directory, remoteIndexUrl: settings.remoteIndexUrl, trustKeys })
  await new Promise((resolve, reject) => server.once('error', reject).listen(settings.port, settings.address, resolve))
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop(server, directory))

  const { address, port, family } = server.address()
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`
  const from = settings.root ?? settings.remoteIndexUrl
  console.log(settings.json ? JSON.stringify({ url }) : `${url} shows the features of ${from} (Ctrl-C ends it)`)
}

function log(line) {
  console.error(line)
}

async function stop(server, directory) {
  server.close()
  server.closeAllConnections()
  await directory?.close()
}
