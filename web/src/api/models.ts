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

/** Where it is, when nobody chose a grid: the server looks which it is. */
export type Told = { address: string } | { lng: number; lat: number }

export interface TrackLine {
  at: string
  kind: 'received' | 'moved' | 'accepted' | 'asked' | 'replied' | 'resolved' | 'reopened' | 'closed' | string
  level: Level
  /** Who had it then, by title. */
  label: string
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
  /** Photos that came with the reply. */
  attachments: string[]
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
  /** Photos of how it was resolved; a list leaves them out. */
  attachments?: string[]
  whistles: string[]
  can: string[]
}

export type WhistleState = 'draft' | 'blown' | 'acknowledged' | 'reported_in' | 'result' | 'confirmed' | 'withdrawn'

export interface Whistle {
  id: string
  case: string
  number: string
  category: string
  place: { grid: string | null; label: string }
  desk: { grid: string; label: string }
  occasion: 'demand' | 'enforcement' | 'emergency' | 'key_work'
  state: WhistleState
  lead: string
  assisting: string[]
  blown_at: string | null
  report_in_by: string | null
  result_by: string | null
  confirm_by: string | null
  decide_by: string | null
  flags: { disputed: boolean; extended: boolean; overdue: 'yellow' | 'red' | 'supervision' | null }
  returns: number
  reported_in: { person: string; at: string } | null
  /** Open whistles of the lead department, this one included. */
  load: number
  supervised: boolean
  now: string
  version: number
  text: string
  can: string[]
  /** Photos of the result; a list leaves them out. */
  attachments?: string[]
  history?: { at: string; kind: string; actor: string | null; text: string | null }[]
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

export interface Seat {
  kind: string
  person: string | null
  required: boolean
  filled_by: string | null
  reply: 'come' | 'cannot' | 'substitute' | null
  substitute: string | null
  present: boolean
}

export interface Task {
  id: string
  kind: 'case' | 'whistle'
  text: string
  grid?: string
  department?: string
  due: string
}

export interface Topic {
  id: string
  case: string
  number: string
  category: string
  state: 'proposed' | 'screened' | 'refused' | 'scheduled' | 'held' | 'done' | 'withdrawn'
  how: string | null
  title: string
  n: string[]
  screen_by: string | null
  meeting: string | null
  tasks: Task[]
  version: number
  now: string
  can: string[]
}

export interface Meeting {
  id: string
  topic: string
  case: string
  title: string
  state: 'scheduled' | 'held' | 'done' | 'cancelled'
  how: string | null
  venue: string
  venue_label: string
  starts: string
  ends: string
  seats: Seat[]
  quorum: { needed: number; present: number }
  moves_left: number
  result: string | null
  version: number
  now: string
  can: string[]
  /** The code at the door, for whoever runs the meeting. */
  door?: string
}
