import { useState } from 'preact/hooks'
import { AS_OF, PATIENTS, age, daysIn } from '../../src/records.js'
import './filters.css'

const WARDS = [...new Set(PATIENTS.map(patient => patient.ward))].sort()
const BY_RISK = PATIENTS.toSorted((one, other) => other.score - one.score)

/** New in 1.1.0: search, a ward filter, and the early warning score, sickest first. */
export function PatientList({ basePath }) {
  const [words, setWords] = useState('')
  const [ward, setWard] = useState('')
  const shown = BY_RISK.filter(patient => (!ward || patient.ward === ward) && matches(patient, words))
  return (
    <>
      <header class="pl-head">
        <h1>Patient list</h1>
        <span class="pl-soft">As of {AS_OF}</span>
      </header>
      <form class="pl-filters" role="search" onSubmit={event => event.preventDefault()}>
        <label>
          Search
          <input type="search" placeholder="Name, number or reason" value={words} onInput={event => setWords(event.currentTarget.value)} />
        </label>
        <label>
          Ward
          <select value={ward} onChange={event => setWard(event.currentTarget.value)}>
            <option value="">All wards</option>
            {WARDS.map(name => <option key={name}>{name}</option>)}
          </select>
        </label>
      </form>
      <div class="pl-card">
        <table>
          <caption aria-live="polite">{shown.length} of {PATIENTS.length} inpatients, highest early warning score first</caption>
          <thead>
            <tr>
              <th scope="col">Score</th>
              <th scope="col">Patient</th>
              <th scope="col">Age</th>
              <th scope="col">Ward, bed</th>
              <th scope="col">Reason for admission</th>
              <th scope="col">Stay</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(patient => (
              <tr key={patient.id}>
                <td><Score value={patient.score} /></td>
                <th scope="row">
                  <a href={`${basePath}/${patient.id}`}>{patient.name}</a>
                  <div class="pl-soft pl-number">{patient.id}</div>
                </th>
                <td class="pl-number">{age(patient)} {patient.sex}</td>
                <td>{patient.ward}<div class="pl-soft pl-number">{patient.bed}</div></td>
                <td>{patient.reason}</td>
                <td class="pl-number">day {daysIn(patient)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p class="pl-none">No patient matches. Try fewer letters or another ward.</p>}
      </div>
    </>
  )
}

function Score({ value }) {
  const risk = value >= 7 ? 'high' : value >= 5 ? 'medium' : 'low'
  return <span class={`pl-score pl-score-${risk}`}>{value} <small>{risk}</small></span>
}

function matches(patient, words) {
  const text = `${patient.name} ${patient.id} ${patient.reason}`.toLowerCase()
  return words.toLowerCase().split(/\s+/).every(word => text.includes(word))
}
