import { html, render } from 'lit'
import './LabResults.js'
import './main.css'

/** Renders the feature into `element`. */
export function mount(element) {
  render(html`<lab-results></lab-results>`, element)
}

export function unmount(element) {
  render(null, element)
}
