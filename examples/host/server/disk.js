// Reading and checking what a loader wrote: <root>/<featureId>/releases.json and <root>/<featureId>/<version>/….
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile, readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DeliveryError } from '../trust/index.js'

/** A root as a source of `trust/`. It keeps the documents that were read, so that what is served is what was verified. */
export class DiskSource {
  base = 'artifacts:/'
  documents = new Map()

  constructor(root) {
    this.root = root
  }

  async read(path, limit) {
    const where = `${this.base}${path}`
    try {
      const file = join(this.root, path)
      const found = await lstat(file)
      if (!found.isFile()) throw new DeliveryError('not_found', 'L3', 'no regular file', { where })
      if (found.size > limit) throw new DeliveryError('limit_exceeded', 'F1', 'document too long', { where, expected: `${limit} bytes`, seen: found.size })
      const bytes = new Uint8Array(await readFile(file))
      this.documents.set(path, bytes)
      return bytes
    } catch (error) {
      throw asDeliveryError(error, where)
    }
  }
}

/** M2, M3: a version directory holds exactly the files of its manifest, each as it was signed. Throws DeliveryError. */
export async function checkFiles(root, { featureId, version, manifest }) {
  const folder = join(root, featureId, version)
  const where = `artifacts:/${featureId}/${version}/`
  try {
    const present = await regularFiles(folder, where)
    const declared = new Set([...Object.keys(manifest.integrity), 'manifest.json'])
    for (const path of present) if (!declared.has(path)) throw new DeliveryError('file_undeclared', 'M2', 'not in the manifest', { where, seen: path })
    for (const path of declared) if (!present.has(path)) throw new DeliveryError('file_missing', 'M2', 'not there', { where, expected: path })
    for (const path of Object.keys(manifest.integrity)) await checkFile(join(folder, path), path, manifest, where + path)
  } catch (error) {
    throw asDeliveryError(error, where)
  }
}

async function regularFiles(folder, where) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => !entry.isDirectory())
  const odd = files.find(entry => !entry.isFile())
  if (odd) throw new DeliveryError('file_undeclared', 'L3', 'no regular file', { where, seen: odd.name })
  return new Set(files.map(entry => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')))
}

async function checkFile(file, path, { integrity, sizes }, where) {
  const { size } = await lstat(file)
  if (sizes && size !== sizes[path]) throw new DeliveryError('integrity_mismatch', 'M3', 'another length than was signed', { where, expected: sizes[path], seen: size })
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  const seen = `sha256-${hash.digest('base64')}`
  if (seen !== integrity[path]) throw new DeliveryError('integrity_mismatch', 'M2', 'another content than was signed', { where, expected: integrity[path], seen })
}

/** What went wrong on disk, as a DeliveryError. */
export function asDeliveryError(error, where) {
  if (error instanceof DeliveryError) return error
  const isAbsent = error.code === 'ENOENT' || error.code === 'ENOTDIR'
  return new DeliveryError(isAbsent ? 'not_found' : 'transport_failed', 'L3', 'cannot be read', { where, seen: error.code ?? error.message })
}
