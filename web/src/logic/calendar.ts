/** A month as a sheet of paper, and what each of its days is: published, or the district's own. */
import type { Calendars } from '../api/office'

export type Kind = 'open' | 'weekend' | 'holiday' | 'workday'

export interface DayCell {
  date: string
  day: number
  /** Whether it is worked. */
  open: boolean
  kind: Kind
  /** The district's own word, other than published. */
  own: boolean
}

export type Known = Pick<Calendars, 'holidays' | 'workdays' | 'days'>

const two = (n: number) => String(n).padStart(2, '0')

/** What a day is as published, and whether the district says otherwise. */
export function dayOf(date: string, known: Known): DayCell {
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay()
  const kind: Kind = known.holidays.includes(date)
    ? 'holiday'
    : known.workdays.includes(date)
      ? 'workday'
      : weekday === 0 || weekday === 6
        ? 'weekend'
        : 'open'
  const own = known.days.find((each) => each.date === date)
  return { date, day: Number(date.slice(8)), open: own ? own.open : kind === 'open' || kind === 'workday', kind, own: own !== undefined }
}

/** Weeks from Monday; null where the month has no day. `month` from 1. */
export function weeks(year: number, month: number, known: Known): (DayCell | null)[][] {
  const first = (new Date(Date.UTC(year, month - 1, 1)).getUTCDay() + 6) % 7
  const count = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const cells: (DayCell | null)[] = Array.from({ length: first }, () => null)
  for (let day = 1; day <= count; day += 1) cells.push(dayOf(`${year}-${two(month)}-${two(day)}`, known))
  while (cells.length % 7) cells.push(null)
  return Array.from({ length: cells.length / 7 }, (_, at) => cells.slice(at * 7, at * 7 + 7))
}

/** Days out of a text: one after another, however they are set apart; a span by `..` or 至. Null for what is none. */
export function readDays(text: string): string[] | null {
  const found: string[] = []
  for (const part of text.split(/[\s,，、;；]+/).filter(Boolean)) {
    const [from, to] = part.split(/\.\.|至|~/)
    if (!isDay(from) || (to !== undefined && !isDay(to))) return null
    const last = Date.parse(`${to ?? from}T00:00:00Z`)
    for (let at = Date.parse(`${from}T00:00:00Z`); at <= last && found.length <= 366; at += 86_400_000)
      found.push(new Date(at).toISOString().slice(0, 10))
  }
  return found
}

function isDay(text: string | undefined): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text ?? '-')
}
