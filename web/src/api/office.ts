/** What the district runs on: policies, calendars, maintenance, vacancies, the supervision list. */
import type { Level, Page, Supervised } from './models'

export interface PolicyRow {
  id: string
  name: string
  created_at: string
  created_by: string | null
  in_force: boolean
  reason: string | null
}

export interface Policy extends PolicyRow {
  yaml: string
}

export interface Fault {
  loc: (string | number)[]
  line: number | null
  msg: string
}

export interface Side {
  level: Level
  stays: number
  in_time: number
  late: number
  silent: number
  open: number
  unrecorded: number
  share: number | null
  load: number
}

export interface Replayed {
  policy: string
  cases: number
  changed: number
  recorded: Side[]
  replayed: Side[]
}

export interface Calendars {
  items: { id: string; hours: string; days: string }[]
  published_until: string | null
  holidays: string[]
  workdays: string[]
  days: { date: string; open: boolean }[]
}

export interface Maintenance {
  on: boolean
  since: string | null
  by: string | null
  reason: string | null
}

export type PostKind = 'leader' | 'party' | 'desk' | 'secretary'

export interface GridOut {
  code: string
  level: Level
  label: string
  posts: { kind: PostKind; person: string | null }[]
}

export interface Vacancy {
  kind: 'vacant' | 'unreachable' | 'overloaded'
  grid: string
  level: Level
  label: string
  post: PostKind | null
  person: string | null
  cases: number | null
}

export interface Vacancies extends Page<Vacancy> {
  counts: Record<Vacancy['kind'], number>
}

/** A line of the supervision list with its trail of notes; `desk` has it in charge, `person` if it is one of that desk. */
export interface Charge extends Supervised {
  case: string
  desk: string
  person: string | null
  review_at: string | null
  notes: number
}

export interface ChargeWhole extends Charge {
  trail: { at: string; kind: string; text: string; by: string | null; desk: string | null; person: string | null }[]
  can: string[]
}
