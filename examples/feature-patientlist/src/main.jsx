import { render } from 'preact'
import { LocationProvider, Route, Router, lazy } from 'preact-iso'
import { PatientList } from '#version/PatientList.jsx'
import './main.css'

const PatientRecord = lazy(() => import('./PatientRecord.jsx'))

/** Renders the feature into `element`; `context.basePath` is where the host serves it. */
export function mount(element, context = {}) {
  const basePath = context.basePath ?? '/patients'
  render(
    <LocationProvider scope={basePath}>
      <main class="pl">
        <Router>
          <Route path={`${basePath}/:id`} component={PatientRecord} basePath={basePath} />
          <Route default component={PatientList} basePath={basePath} />
        </Router>
      </main>
    </LocationProvider>,
    element
  )
}

export function unmount(element) {
  render(null, element)
}
