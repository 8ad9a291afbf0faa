import { AS_OF, PATIENTS, age, daysIn } from '../../src/records.js'

export function PatientList({ basePath }) {
  return (
    <>
      <header class="pl-head">
        <h1>Patient list</h1>
        <span class="pl-soft">As of {AS_OF}</span>
      </header>
      <div class="pl-card">
        <table>
          <caption>{PATIENTS.length} inpatients on your wards</caption>
          <thead>
            <tr>
              <th scope="col">Patient</th>
              <th scope="col">Age</th>
              <th scope="col">Ward, bed</th>
              <th scope="col">Reason for admission</th>
              <th scope="col">Stay</th>
            </tr>
          </thead>
          <tbody>
            {PATIENTS.map(patient => (
              <tr key={patient.id}>
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
      </div>
    </>
  )
}
