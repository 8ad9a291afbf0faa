// Invented messages about the invented patients of the patient list.
export const MESSAGES = [
  { id: 1, level: 'urgent', at: '08:26', title: 'Critical potassium', text: 'Brightwell, Janek (S1-05): 6.2 mmol/l, taken 07:50.', link: '/lab-results' },
  { id: 2, level: 'urgent', at: '08:12', title: 'Early warning score 7', text: 'Brightwell, Janek (S1-05): up from 4. Call the on-call physician.', link: '/patients/P-1055' },
  { id: 3, level: 'info', at: '07:58', title: 'CT report is ready', text: 'Calloway, Idris (N1-01): follow-up CT, no haemorrhage.', link: '/patients/P-1070' },
  { id: 4, level: 'info', at: '07:30', title: 'Discharge letter to sign', text: 'Ferrant, Naima (S1-02): planned for today, 14:00.', link: '/patients/P-1052' }
]
