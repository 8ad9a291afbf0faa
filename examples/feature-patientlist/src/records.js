// Invented people. Any likeness is chance.
export const AS_OF = '4 March 2026, 08:30'

const TODAY = new Date('2026-03-04')

export const PATIENTS = [
  {
    id: 'P-1041', name: 'Marlow, Edith', born: '1948-06-17', sex: 'F', ward: 'Cardiology', bed: 'C2-04', admitted: '2026-03-01',
    reason: 'Decompensated heart failure', consultant: 'Dr Okonjo', allergies: ['Penicillin'], score: 5,
    vitals: { pulse: [96, 92, 104, 98, 101], systolic: [112, 108, 104, 110, 106], spo2: [92, 93, 93, 94, 93], temperature: [36.9, 37.0, 37.1, 36.8, 37.0] },
    medication: ['Furosemide 40 mg IV, twice daily', 'Bisoprolol 2.5 mg, mornings', 'Enoxaparin 40 mg SC, evenings']
  },
  {
    id: 'P-1044', name: 'Tindall, Oscar', born: '1961-11-02', sex: 'M', ward: 'Cardiology', bed: 'C2-07', admitted: '2026-03-03',
    reason: 'NSTEMI, day 1 after PCI', consultant: 'Dr Okonjo', allergies: [], score: 2,
    vitals: { pulse: [84, 80, 78, 76, 74], systolic: [138, 134, 130, 128, 129], spo2: [96, 96, 97, 97, 97], temperature: [36.6, 36.7, 36.6, 36.7, 36.6] },
    medication: ['Aspirin 100 mg, mornings', 'Ticagrelor 90 mg, twice daily', 'Atorvastatin 80 mg, evenings']
  },
  {
    id: 'P-1052', name: 'Ferrant, Naima', born: '1989-01-23', sex: 'F', ward: 'Surgery', bed: 'S1-02', admitted: '2026-03-02',
    reason: 'Laparoscopic appendectomy, day 2', consultant: 'Mr Halloran', allergies: ['Latex'], score: 0,
    vitals: { pulse: [78, 74, 70, 68, 66], systolic: [118, 120, 116, 118, 117], spo2: [98, 98, 99, 98, 99], temperature: [37.8, 37.4, 37.1, 36.8, 36.7] },
    medication: ['Paracetamol 1 g, every 6 h', 'Metamizole 1 g, if needed']
  },
  {
    id: 'P-1055', name: 'Brightwell, Janek', born: '1974-09-30', sex: 'M', ward: 'Surgery', bed: 'S1-05', admitted: '2026-02-27',
    reason: 'Sigmoid resection, day 4', consultant: 'Mr Halloran', allergies: [], score: 7,
    vitals: { pulse: [88, 94, 102, 112, 118], systolic: [124, 116, 108, 100, 96], spo2: [97, 96, 95, 94, 93], temperature: [37.2, 37.6, 38.1, 38.6, 38.9] },
    medication: ['Piperacillin/tazobactam 4.5 g IV, every 8 h', 'Ringer 100 ml/h', 'Enoxaparin 40 mg SC, evenings']
  },
  {
    id: 'P-1060', name: 'Ostrava, Henrike', born: '1955-04-12', sex: 'F', ward: 'Surgery', bed: 'S2-01', admitted: '2026-03-03',
    reason: 'Total hip replacement, day 1', consultant: 'Ms Adeyemi', allergies: ['Codeine'], score: 1,
    vitals: { pulse: [82, 80, 84, 79, 78], systolic: [132, 128, 126, 130, 131], spo2: [96, 96, 95, 96, 97], temperature: [36.9, 37.1, 37.2, 37.0, 36.9] },
    medication: ['Oxycodone 5 mg, twice daily', 'Rivaroxaban 10 mg, evenings']
  },
  {
    id: 'P-1063', name: 'Quill, Bastian', born: '2001-12-08', sex: 'M', ward: 'Pulmonology', bed: 'P1-03', admitted: '2026-03-02',
    reason: 'Spontaneous pneumothorax, chest drain', consultant: 'Dr Lindqvist', allergies: [], score: 3,
    vitals: { pulse: [98, 94, 90, 88, 86], systolic: [126, 124, 122, 124, 123], spo2: [93, 94, 95, 96, 96], temperature: [36.8, 36.7, 36.8, 36.6, 36.7] },
    medication: ['Ibuprofen 600 mg, three times daily', 'Oxygen 2 l/min']
  },
  {
    id: 'P-1067', name: 'Vandermeer, Rosalind', born: '1939-08-19', sex: 'F', ward: 'Pulmonology', bed: 'P1-06', admitted: '2026-02-26',
    reason: 'COPD, infective exacerbation', consultant: 'Dr Lindqvist', allergies: ['Sulfonamides'], score: 6,
    vitals: { pulse: [104, 102, 99, 101, 100], systolic: [128, 130, 126, 124, 126], spo2: [86, 88, 89, 88, 89], temperature: [38.2, 37.9, 37.6, 37.5, 37.4] },
    medication: ['Prednisolone 40 mg, mornings', 'Salbutamol/ipratropium nebuliser, every 6 h', 'Amoxicillin/clavulanate 875/125 mg, twice daily']
  },
  {
    id: 'P-1070', name: 'Calloway, Idris', born: '1967-02-28', sex: 'M', ward: 'Neurology', bed: 'N1-01', admitted: '2026-03-01',
    reason: 'Ischaemic stroke, after thrombolysis', consultant: 'Dr Sato', allergies: [], score: 4,
    vitals: { pulse: [72, 76, 74, 78, 75], systolic: [168, 160, 156, 150, 148], spo2: [96, 96, 97, 96, 97], temperature: [36.9, 37.0, 37.3, 37.1, 37.0] },
    medication: ['Clopidogrel 75 mg, mornings', 'Ramipril 5 mg, mornings', 'Atorvastatin 40 mg, evenings']
  },
  {
    id: 'P-1074', name: 'Amberly, Sunniva', born: '1994-07-05', sex: 'F', ward: 'Neurology', bed: 'N1-04', admitted: '2026-03-03',
    reason: 'First seizure, under observation', consultant: 'Dr Sato', allergies: ['Iodine contrast'], score: 0,
    vitals: { pulse: [70, 68, 72, 69, 67], systolic: [114, 112, 116, 113, 115], spo2: [99, 98, 99, 99, 98], temperature: [36.5, 36.6, 36.5, 36.6, 36.5] },
    medication: ['Levetiracetam 500 mg, twice daily']
  },
  {
    id: 'P-1078', name: 'Delacroix-Hume, Theo', born: '1958-10-21', sex: 'M', ward: 'Cardiology', bed: 'C1-02', admitted: '2026-02-28',
    reason: 'Atrial fibrillation, rate control', consultant: 'Dr Bramwell', allergies: [], score: 3,
    vitals: { pulse: [138, 126, 112, 104, 98], systolic: [118, 122, 120, 124, 122], spo2: [95, 95, 96, 96, 96], temperature: [36.7, 36.8, 36.7, 36.6, 36.7] },
    medication: ['Metoprolol 47.5 mg, twice daily', 'Apixaban 5 mg, twice daily']
  }
]

export function patientById(id) {
  return PATIENTS.find(patient => patient.id === id)
}

export function age(patient) {
  const birthday = new Date(patient.born)
  birthday.setUTCFullYear(TODAY.getUTCFullYear())
  const years = TODAY.getUTCFullYear() - Number(patient.born.slice(0, 4))
  return birthday > TODAY ? years - 1 : years
}

export function daysIn(patient) {
  return Math.round((TODAY - new Date(patient.admitted)) / 86_400_000)
}
