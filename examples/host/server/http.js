// The host's HTTP side: the shell page, the modules that it runs, the trust store, and what a directory has.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import send from 'send'

const HOST = join(import.meta.dirname, '..')
const PAGE = join(HOST, 'page', 'index.html')
const IMMUTABLE = 'public, max-age=31536000, immutable'

/** A server of `directory`, or for browsers that read the remote index at `remoteIndexUrl` themselves. */
export function createHost({ directory, remoteIndexUrl, trustKeys }) {
  return createServer(async (request, response) => {
    try {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
      await route(request, response, { directory, remoteIndexUrl, trustKeys })
    } catch (error) {
      console.error(`${request.method} ${request.url}: ${error.stack}`)
      refuse(response, 500)
    }
  })
}

const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-cache'
}

async function route(request, response, { directory, remoteIndexUrl, trustKeys }) {
  const path = pathOf(request)
  if (path === undefined) return refuse(response, 400)
  if (!['GET', 'HEAD'].includes(request.method)) return refuse(response, 405)
  if (path === 'trust.json') return answer(request, response, 'application/json', (await trustKeys.read()).bytes)
  if (path === 'host.json') return answer(request, response, 'application/json', JSON.stringify(describe(directory, remoteIndexUrl)))
  if (/^(page|trust)\/[a-z-]+\.[a-z]+$/.test(path)) return sendFile(request, response, HOST, path)
  if (path.startsWith('artifacts/')) return sendArtifact(request, response, directory, path.slice('artifacts/'.length))
  if (!request.headers.accept?.includes('text/html')) return refuse(response, 404)
  return answerPage(request, response, remoteIndexUrl)
}

function describe(directory, remoteIndexUrl) {
  if (remoteIndexUrl) return { source: 'remote', remoteIndexUrl }
  return { source: 'directory', features: directory.ids(), problems: directory.problems() }
}

function sendArtifact(request, response, directory, path) {
  const found = directory?.find(path)
  if (found === undefined) return refuse(response, 404)
  if (!found.isPointer) response.setHeader('Cache-Control', IMMUTABLE)
  if (found.bytes) return answer(request, response, 'application/json', found.bytes)
  return sendFile(request, response, directory.root, path)
}

function sendFile(request, response, root, path) {
  send(request, path.split('/').map(encodeURIComponent).join('/'), { root, cacheControl: false, index: false })
    .on('error', error => refuse(response, error.status ?? 500))
    .on('directory', () => refuse(response, 404))
    .pipe(response)
}

// The nonce is for the one script that cannot have a URL of its own: the import map.
async function answerPage(request, response, remoteIndexUrl) {
  const nonce = randomBytes(16).toString('base64')
  // In a policy , and ; separate.
  const features = remoteIndexUrl ? new URL('.', remoteIndexUrl).href.replace(/[,;]/g, encodeURIComponent) : ''
  response.setHeader('Content-Security-Policy', policy(nonce, features))
  const page = await readFile(PAGE, 'utf8')
  answer(request, response, 'text/html; charset=utf-8', page.replaceAll('{{nonce}}', nonce))
}

function policy(nonce, features) {
  const own = `'self' ${features}`.trim()
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' ${own}`,
    ...['style', 'img', 'font', 'connect'].map(kind => `${kind}-src ${own}`),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
}

function answer(request, response, type, body) {
  response.setHeader('Content-Type', type)
  response.end(request.method === 'HEAD' ? undefined : body)
}

function refuse(response, status) {
  if (response.headersSent) return response.destroy()
  response.statusCode = status
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${status}\n`)
}

function pathOf(request) {
  try {
    return decodeURIComponent(request.url.split('?')[0]).slice(1)
  } catch {
    return undefined
  }
}
