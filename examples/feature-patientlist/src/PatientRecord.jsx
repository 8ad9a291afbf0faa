import { useState } from 'preact/hooks'
import { age, daysIn, patientById } from './records.js'
import './PatientRecord.css'

const VITALS = [
  { key: 'pulse', label: 'Pulse', unit: '/min' },
  { key: 'systolic', label: 'Systolic pressure', unit: 'mmHg' },
  { key: 'spo2', label: 'Oxygen saturation', unit: '%' },
  { key: 'temperature', label: 'Temperature', unit: '°C' }
]

/** Loaded when the first record is opened. */
export default function PatientRecord({ id, basePath }) {
  const [withValues, setWithValues] = useState(false)
  const patient = patientById(id)
  if (!patient) {
    return (
      <>
        <h1>No such patient</h1>
        <p>There is no inpatient with the number {id}. <a href={basePath}>Back to the list</a></p>
      </>
    )
  }
  return (
    <article>
      <p><a href={basePath}>← Patient list</a></p>
      <header class="pl-head">
        <h1>{patient.name}</h1>
        <span class="pl-soft pl-number">{patient.id} · born {patient.born} · {age(patient)} {patient.sex}</span>
      </header>
      <p class="pl-lead">
        {patient.reason}. {patient.ward}, bed {patient.bed}, day {daysIn(patient)}, under {patient.consultant}.
      </p>
      <p>
        Allergies:{' '}
        {patient.allergies.length === 0
          ? <span class="pl-tag">none known</span>
          : patient.allergies.map(allergy => <strong key={allergy} class="pl-tag pl-tag-warn">{allergy}</strong>)}
      </p>
      <section aria-label="Vital signs" class="pl-vitals">
        {VITALS.map(vital => <Vital key={vital.key} {...vital} values={patient.vitals[vital.key]} withValues={withValues} />)}
      </section>
      <label>
        <input type="checkbox" checked={withValues} onChange={event => setWithValues(event.currentTarget.checked)} /> Show the values behind the curves
      </label>
      <section class="pl-card pl-medication">
        <h2>Medication</h2>
        <ul>{patient.medication.map(line => <li key={line}>{line}</li>)}</ul>
      </section>
    </article>
  )
}

function Vital({ label, unit, values, withValues }) {
  return (
    <div class="pl-card pl-vital">
      <span class="pl-soft">{label}</span>
      <strong>{values.at(-1)} <small>{unit}</small></strong>
      <svg viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label={`Last values: ${values.join(', ')}`}>
        <polyline points={points(values)} />
      </svg>
      {withValues && <span class="pl-soft">{values.join(' · ')}</span>}
    </div>
  )
}

function points(values) {
  const low = Math.min(...values)
  const span = Math.max(...values) - low || 1
  return values.map((value, index) => `${4 + (index * 92) / (values.length - 1)},${28 - (24 * (value - low)) / span}`).join(' ')
}
