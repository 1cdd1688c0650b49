/** Which clock runs on a whistle; only the lead department has clocks, and the desk one to confirm. */
import type { Whistle } from '../api/models'

export interface WhistleClock {
  kind: 'reportInBy' | 'resultBy' | 'confirmBy'
  since: string | null
  until: string
}

export function whistleClock(whistle: Whistle): WhistleClock | null {
  const { state } = whistle
  if ((state === 'blown' || state === 'acknowledged') && whistle.report_in_by)
    return { kind: 'reportInBy', since: whistle.blown_at, until: whistle.report_in_by }
  if (state === 'reported_in' && whistle.result_by)
    return { kind: 'resultBy', since: whistle.reported_in?.at ?? null, until: whistle.result_by }
  if (state === 'result' && whistle.confirm_by) return { kind: 'confirmBy', since: null, until: whistle.confirm_by }
  return null
}

export const isOver = (whistle: Whistle): boolean => whistle.state === 'confirmed' || whistle.state === 'withdrawn'

export function byDue(a: Whistle, b: Whistle): number {
  return (whistleClock(a)?.until ?? '9').localeCompare(whistleClock(b)?.until ?? '9') || a.id.localeCompare(b.id)
}

/** Times in a form's field, in the district's zone whatever the device says. */
const FIELD = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Asia/Shanghai',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
})
export const toField = (ms: number): string => FIELD.format(ms).replace(' ', 'T')
export const fromField = (typed: string): string => `${typed.length === 16 ? `${typed}:00` : typed}+08:00`
