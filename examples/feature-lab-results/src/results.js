// An invented report of an invented patient.
export const REPORT = {
  patient: 'Brightwell, Janek',
  bed: 'S1-05',
  order: 'Order L-260304-0187',
  takenAt: '4 March 2026, 07:50',
  validatedAt: '08:21',
  validatedBy: 'Laboratory medicine'
}

// `values`: oldest first, the last one is the result. `critical`: limits beyond which the ward is called.
export const PANELS = [
  {
    name: 'Chemistry',
    results: [
      { name: 'Sodium', unit: 'mmol/l', low: 135, high: 145, critical: [120, 160], values: [139, 138, 137, 135, 133] },
      { name: 'Potassium', unit: 'mmol/l', low: 3.5, high: 5.1, critical: [2.8, 6.0], values: [4.2, 4.4, 4.9, 5.5, 6.2] },
      { name: 'Creatinine', unit: 'µmol/l', low: 62, high: 106, critical: [20, 400], values: [84, 92, 118, 151, 188] },
      { name: 'Urea', unit: 'mmol/l', low: 2.8, high: 7.2, critical: [1, 30], values: [5.1, 5.8, 7.9, 10.4, 13.2] },
      { name: 'C-reactive protein', unit: 'mg/l', low: 0, high: 5, critical: [0, 500], values: [62, 48, 91, 164, 233] },
      { name: 'Lactate', unit: 'mmol/l', low: 0.5, high: 2.0, critical: [0, 4], values: [1.1, 1.2, 1.6, 2.4, 3.1] },
      { name: 'Bilirubin', unit: 'µmol/l', low: 5, high: 21, critical: [0, 250], values: [11, 10, 12, 14, 16] },
      { name: 'ALT', unit: 'U/l', low: 10, high: 50, critical: [0, 1000], values: [24, 23, 27, 31, 35] }
    ]
  },
  {
    name: 'Haematology',
    results: [
      { name: 'Haemoglobin', unit: 'g/l', low: 135, high: 175, critical: [70, 200], values: [131, 126, 122, 119, 117] },
      { name: 'Leucocytes', unit: '10⁹/l', low: 4.0, high: 10.0, critical: [1.0, 50], values: [9.8, 9.1, 12.6, 16.9, 19.4] },
      { name: 'Neutrophils', unit: '10⁹/l', low: 1.8, high: 7.5, critical: [0.5, 45], values: [7.2, 6.8, 10.1, 14.4, 17.0] },
      { name: 'Platelets', unit: '10⁹/l', low: 150, high: 400, critical: [30, 1000], values: [268, 274, 251, 214, 176] },
      { name: 'MCV', unit: 'fl', low: 80, high: 96, critical: [50, 130], values: [88, 88, 87, 88, 88] }
    ]
  },
  {
    name: 'Coagulation',
    results: [
      { name: 'INR', unit: '', low: 0.9, high: 1.2, critical: [0, 5], values: [1.0, 1.0, 1.1, 1.2, 1.3] },
      { name: 'aPTT', unit: 's', low: 26, high: 36, critical: [15, 90], values: [29, 30, 31, 34, 35] },
      { name: 'Fibrinogen', unit: 'g/l', low: 1.8, high: 3.5, critical: [0.8, 12], values: [3.9, 3.7, 4.4, 5.6, 6.3] }
    ]
  }
]

/** What the last value of a result means: `label` is '' inside the reference range. */
export function rating({ values, low, high, critical }) {
  const value = values.at(-1)
  const isCritical = value < critical[0] || value > critical[1]
  const direction = value < low ? 'low' : value > high ? 'high' : ''
  return { label: isCritical ? `critical ${direction}` : direction, critical: isCritical, outside: direction !== '' }
}
