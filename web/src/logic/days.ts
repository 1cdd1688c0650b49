/** Days as forms ask for them, by the district's calendar whatever the device says. */
import { toField } from './whistle'

export const DAY = 86_400_000
/** A day as a date field writes it. */
export const toDay = (ms: number): string => toField(ms).slice(0, 10)
/** The morning of a day: when what was put off until then goes on. */
export const morning = (day: string): string => `${day}T08:00:00+08:00`
/** The last day before a moment that ends something. */
export const dayBefore = (end: string): string => toDay(Date.parse(end) - 1)
