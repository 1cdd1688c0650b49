/** What the services answer. Requests are typed from their OpenAPI (`gen/`); routing's answers are written down here. */
import type { components as Intake } from './gen/intake'

export type ReportIn = Intake['schemas']['ReportIn']
export type Reported = Intake['schemas']['ReportedOut']
export type Issue = Intake['schemas']['IssueOut']
export type CategoryClass = Intake['schemas']['ClassOut']
export type CategoryItem = Intake['schemas']['ItemOut']
export type Hint = Intake['schemas']['HintOut']

export interface Page<T> {
  items: T[]
  next: string | null
}

export type Level = 'district' | 'subdistrict' | 'community' | 'large' | 'middle' | 'small' | 'micro'
export type Phase = 'received' | 'assigned' | 'accepted' | 'resolved' | 'closed'
export type OnHold = 'suspended' | 'whistle' | 'deliberation' | 'reporter' | null

/** A place as anybody may read it: its name and its ways up, nobody's post. */
export interface Place {
  code: string
  level: Level
  label: string
  village: boolean
  kind: 'block' | 'courtyard' | null
  above: { code: string; level: Level; label: string }[]
}

export interface TrackLine {
  at: string
  kind: 'received' | 'moved' | 'accepted' | 'asked' | 'replied' | 'resolved' | 'reopened' | 'closed' | string
  level: Level
  text: string
}

export interface Track {
  number?: string
  category?: string
  phase: Phase
  on_hold: OnHold
  closed_how: string | null
  holder: { level: Level; label: string; until: string | null } | null
  promised_by: string | null
  now: string
  reply: string | null
  history: TrackLine[]
  can: string[]
}

export interface Holder {
  kind: 'person' | 'desk'
  id: string
  level: Level
  grid: string
  label: string
}

export interface Hop {
  hop: number
  level: Level
  grid: string
  holder: Holder | null
  since: string
  until: string | null
  ended_by: string | null
  skipped: string | null
  accepted_at: string | null
}

export interface Case {
  id: string
  number: string
  category: string
  urgency: 'emergency' | 'urgent' | 'ordinary' | 'complex'
  place: { grid: string | null; label: string }
  phase: Phase
  on_hold: OnHold
  closed_how: string | null
  level: Level
  grid: string
  holder: Holder | null
  accepted_at: string | null
  accept_by: string | null
  resolve_by: string | null
  promised_by: string | null
  opened_at: string
  now: string
  version: number
  policy: string
  supervised: boolean
  hops?: Hop[]
  whistles: string[]
  can: string[]
}

export type WhistleState = 'blown' | 'acknowledged' | 'reported_in' | 'result' | 'confirmed' | 'withdrawn'

export interface Whistle {
  id: string
  case: string
  occasion: 'demand' | 'enforcement' | 'emergency' | 'key_work'
  state: WhistleState
  lead: string
  assisting: string[]
  report_in_by: string | null
  result_by: string | null
  confirm_by: string | null
  flags: { disputed: boolean; extended: boolean; overdue: 'yellow' | 'red' | 'supervision' | null }
  version: number
  text: string
  history: { at: string; kind: string; by?: string | null; text?: string | null }[]
  now?: string
  can?: string[]
  number?: string
  place?: { grid: string | null; label: string }
}

export interface Department {
  code: string
  label: string
  load: number
}

export interface Supervised {
  kind: 'case' | 'whistle'
  id: string
  why: 'timeout' | 'third_no' | 'promise' | 'report_in' | 'unconfirmed'
  since: string
  grid: string
}

export type SeatReply = 'come' | 'cannot' | 'substitute' | null
export interface Seat {
  kind: string
  person: string | null
  required: boolean
  reply: SeatReply
  present: boolean
}
