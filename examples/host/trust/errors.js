/** What went wrong: a code of C5, the rule, where, and what was expected and seen. `message` is one line for people. */
export class DeliveryError extends Error {
  constructor(code, rule, what, { where = '', expected, seen } = {}) {
    const facts = []
    if (expected !== undefined) facts.push(`expected ${short(expected)}`)
    if (seen !== undefined) facts.push(`saw ${short(seen)}`)
    super(`${where && `${where}: `}${what}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`)
    Object.assign(this, { name: 'DeliveryError', code, rule, what, where, expected, seen })
  }
}

// It may come from an attacker: one printable line, and not a long one.
function short(value) {
  const text = String(value).replace(/\p{C}/gu, '\ufffd')
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
