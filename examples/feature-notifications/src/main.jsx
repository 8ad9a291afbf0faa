import { render } from 'preact'
import { useId, useState } from 'preact/hooks'
import { MESSAGES } from './messages.js'
import './main.css'

/** Renders the bell into `element`, a place in the host's header. */
export function mount(element) {
  render(<Notifications />, element)
}

export function unmount(element) {
  render(null, element)
}

function Notifications() {
  const [open, setOpen] = useState(false)
  const [read, setRead] = useState(new Set())
  const panel = useId()
  const unread = MESSAGES.length - read.size
  return (
    <div class="nt" onKeyDown={event => event.key === 'Escape' && setOpen(false)}>
      <button type="button" class="nt-bell" aria-expanded={open} aria-controls={panel} onClick={() => setOpen(!open)}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6Zm-2 17a2 2 0 0 0 4 0" />
        </svg>
        <span class="nt-hidden" aria-live="polite">{unread} unread notifications</span>
        {unread > 0 && <span class="nt-count" aria-hidden="true">{unread}</span>}
      </button>
      <section id={panel} class="nt-panel" aria-label="Notifications" hidden={!open}>
        <ul>
          {MESSAGES.map(message => (
            <li key={message.id} class={`nt-${message.level} ${read.has(message.id) ? 'nt-read' : ''}`}>
              <a href={message.link} onClick={() => setRead(new Set([...read, message.id]))}>{message.title}</a>
              <p>{message.text}</p>
              <time>{message.at}</time>
            </li>
          ))}
        </ul>
        <button type="button" disabled={unread === 0} onClick={() => setRead(new Set(MESSAGES.map(message => message.id)))}>
          Mark all as read
        </button>
      </section>
    </div>
  )
}
