// Prints the size of trust/ as one minified module, and what a CDN sends of it: `node host/size.js`.
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const { output } = await build({
  root: import.meta.dirname,
  configFile: false,
  envDir: false,
  publicDir: false,
  logLevel: 'warn',
  build: {
    write: false,
    modulePreload: false,
    rolldownOptions: { input: join(import.meta.dirname, 'trust', 'index.js'), preserveEntrySignatures: 'strict' }
  }
})
const code = Buffer.from(output[0].code)
console.log(JSON.stringify({ minified: code.length, gzip: gzipSync(code, { level: 9 }).length }))
