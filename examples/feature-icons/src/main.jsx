import { render } from 'preact'
import { useState } from 'preact/hooks'
import codepoints from 'bootstrap-icons/font/bootstrap-icons.json'
import './main.css'

const NAMES = Object.keys(codepoints)
const SHOWN = 96
// The drawings are thousands of files beside this bundle; only those on the screen are fetched.
const DRAWINGS = new URL(/* @vite-ignore */ '../icons/', import.meta.url)

/** Renders the feature into `element`. */
export function mount(element) {
  render(<IconLibrary />, element)
}

export function unmount(element) {
  render(null, element)
}

function IconLibrary() {
  const [words, setWords] = useState('hospital heart capsule clipboard lungs bandaid virus')
  const found = NAMES.filter(name => matches(name, words))
  return (
    <main class="ic">
      <h1>Icon library</h1>
      <label>
        Search {NAMES.length} icons (of several words, any may match)
        <input type="search" value={words} onInput={event => setWords(event.currentTarget.value)} />
      </label>
      <p aria-live="polite">{found.length} found{found.length > SHOWN && `, the first ${SHOWN} shown`}</p>
      <ul>
        {found.slice(0, SHOWN).map(name => (
          <li key={name}>
            <img src={new URL(`${name}.svg`, DRAWINGS).href} alt="" width="32" height="32" loading="lazy" />
            {name}
          </li>
        ))}
      </ul>
    </main>
  )
}

function matches(name, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  return wanted.length === 0 || wanted.some(word => name.includes(word))
}
