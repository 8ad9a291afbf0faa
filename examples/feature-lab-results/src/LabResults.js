import { LitElement, html, nothing, svg } from 'lit'
import bloodFilm from './blood-film.png'
import { PANELS, REPORT, rating } from './results.js'

class LabResults extends LitElement {
  static properties = { panel: { state: true } }

  constructor() {
    super()
    this.panel = PANELS[0]
  }

  // Light DOM: the host links the style sheet that the manifest names.
  createRenderRoot() {
    return this
  }

  render() {
    return html`
      <main class="lr">
        <header class="lr-head">
          <div>
            <h1>Lab results</h1>
            <p><strong>${REPORT.patient}</strong> · ${REPORT.bed} · ${REPORT.order}</p>
            <p class="lr-soft">Taken ${REPORT.takenAt}, validated ${REPORT.validatedAt} by ${REPORT.validatedBy}</p>
          </div>
          <figure>
            <img src=${bloodFilm} width="240" height="135" alt="Blood film: many red cells, three white cells, scattered platelets" />
            <figcaption>Blood film, × 400 (drawn)</figcaption>
          </figure>
        </header>
        ${this.#alerts()}
        <div class="lr-panels" role="group" aria-label="Panel">
          ${PANELS.map(panel => html`
            <button type="button" aria-pressed=${panel === this.panel} @click=${() => { this.panel = panel }}>${panel.name}</button>
          `)}
        </div>
        ${resultTable(this.panel)}
      </main>
    `
  }

  #alerts() {
    const critical = PANELS.flatMap(panel => panel.results).filter(result => rating(result).critical)
    if (critical.length === 0) return nothing
    return html`
      <p class="lr-alert" role="alert">
        <strong>Critical:</strong> ${critical.map(result => `${result.name} ${result.values.at(-1)} ${result.unit}`).join(', ')}. Phoned to the ward at 08:24.
      </p>
    `
  }
}

function resultTable(panel) {
  return html`
    <div class="lr-card">
      <table>
        <caption>${panel.name}, with the last five values</caption>
        <thead>
          <tr><th scope="col">Test</th><th scope="col">Result</th><th scope="col">Reference</th><th scope="col">In range</th><th scope="col">Trend</th></tr>
        </thead>
        <tbody>${panel.results.map(resultRow)}</tbody>
      </table>
    </div>
  `
}

function resultRow(result) {
  const { label, critical, outside } = rating(result)
  const level = critical ? 'lr-critical' : outside ? 'lr-outside' : ''
  return html`
    <tr class=${level}>
      <th scope="row">${result.name}</th>
      <td class="lr-value">${result.values.at(-1)} <small>${result.unit}</small>${label && html`<span class="lr-flag">${label}</span>`}</td>
      <td class="lr-soft">${result.low} – ${result.high}</td>
      <td>${rangeBar(result)}</td>
      <td>${trend(result)}</td>
    </tr>
  `
}

// The reference range is the middle half of the bar.
function rangeBar({ values, low, high }) {
  const share = 0.25 + 0.5 * ((values.at(-1) - low) / (high - low))
  const x = 100 * Math.min(0.96, Math.max(0.04, share))
  return html`
    <svg class="lr-range" viewBox="0 0 100 12" aria-hidden="true">
      ${svg`<rect y="4" width="100" height="4" rx="2" /><rect class="lr-normal" x="25" y="4" width="50" height="4" /><circle cx=${x} cy="6" r="4" />`}
    </svg>
  `
}

// Drawn to a scale that holds the reference range, so that a steady value looks steady.
function trend({ values, low, high }) {
  const bottom = Math.min(low, ...values)
  const span = Math.max(high, ...values) - bottom
  const points = values.map((value, index) => `${4 + (index * 72) / (values.length - 1)},${20 - (16 * (value - bottom)) / span}`)
  return html`
    <svg class="lr-trend" viewBox="0 0 80 24" role="img" aria-label=${`Last values: ${values.join(', ')}`}>
      ${svg`<polyline points=${points.join(' ')} />`}
    </svg>
  `
}

// A page may load two versions of this feature, one after the other; the element's name can be taken once.
if (!customElements.get('lab-results')) customElements.define('lab-results', LabResults)
