/** The climb as a picture: which rungs there are, and what each one says. Bottom first in the model, last on the page. */
import type { Case, Level, OnHold, Phase, Place, Track, TrackLine } from '../api/models'

export const LADDER: readonly Level[] = ['micro', 'small', 'middle', 'large', 'community', 'subdistrict', 'district']

export interface Rung {
  level: Level
  state: 'passed' | 'now' | 'done' | 'ahead'
  label: string
  /** When it came here. */
  at: string | null
  /** What happened on this rung, oldest first. */
  lines: TrackLine[]
  /** How the line above it is drawn: handed on, or by itself. Residents never learn whose silence it was. */
  up: 'handed' | 'itself' | 'none'
}

const rank = (level: Level) => LADDER.indexOf(level)

/** The rungs of a resident's issue, from the first one that had it up to the community, or as far as it went.
 *
 * A level that was skipped has no line in the history, and gets no rung: its reason is nobody's business here. */
export function climb(track: Track, place: Place | null, names: Record<Level, string>): Rung[] {
  const steps = track.history.filter((line) => ['received', 'moved', 'accepted', 'reopened'].includes(line.kind))
  const here = track.holder?.level ?? steps.at(-1)?.level ?? place?.level ?? 'micro'
  const had = new Map<Level, TrackLine[]>()
  for (const line of track.history) had.set(line.level, [...(had.get(line.level) ?? []), line])
  const start = steps[0]?.level ?? here
  const top = Math.max(rank('community'), rank(here))
  const rungs: Rung[] = []
  for (let step = Math.min(rank(start), rank(here)); step <= top; step += 1) {
    const level = LADDER[step] as Level
    const lines = had.get(level) ?? []
    const state = level === here ? stateHere(track.phase) : step < rank(here) ? 'passed' : 'ahead'
    if (state === 'passed' && !lines.length) continue
    rungs.push({
      level,
      state,
      label: state === 'ahead' ? (nameOf(place, level) ?? names[level]) : label(track, lines, level, names),
      at: lines[0]?.at ?? null,
      lines,
      up: state === 'passed' ? 'handed' : 'none',
    })
  }
  return rungs
}

function stateHere(phase: Phase): Rung['state'] {
  return phase === 'resolved' || phase === 'closed' ? 'done' : 'now'
}

function nameOf(place: Place | null, level: Level): string | null {
  if (place?.level === level) return place.label
  return place?.above.find((each) => each.level === level)?.label ?? null
}

function label(track: Track, lines: TrackLine[], level: Level, names: Record<Level, string>): string {
  if (track.holder?.level === level) return track.holder.label
  return lines.find((line) => line.label)?.label ?? names[level]
}

/** Rungs of a case for those who work on it: with what ended each, skipped levels where they may know of them. */
export function hopsOf(found: Case): { key: number; label: string; at: string; how: string; dotted: boolean }[] {
  return (found.hops ?? []).map((hop) => ({
    key: hop.hop,
    label: hop.holder?.label ?? '',
    at: hop.since,
    how: hop.skipped ?? hop.ended_by ?? 'here',
    dotted: hop.ended_by === 'accept_timeout' || hop.ended_by === 'resolve_timeout',
  }))
}

/** Which clock runs on a case, and since when. */
export function clockOf(found: Case): { kind: 'accept' | 'resolve'; since: string | null; until: string } | null {
  if (found.phase !== 'assigned' && found.phase !== 'accepted') return null
  const since = found.hops?.at(-1)?.since ?? null
  if (found.phase === 'assigned' && found.accept_by) return { kind: 'accept', since, until: found.accept_by }
  return found.resolve_by ? { kind: 'resolve', since, until: found.resolve_by } : null
}

/** By what is due first; what has no clock comes last, oldest first. */
export function byClock(a: Case, b: Case): number {
  const [x, y] = [clockOf(a)?.until ?? '9', clockOf(b)?.until ?? '9']
  return x === y ? a.opened_at.localeCompare(b.opened_at) : x.localeCompare(y)
}

/** What the resident has to do now, if anything. */
export function asked(track: Track): 'solved' | 'question' | 'reopen' | null {
  if (track.phase === 'resolved' && track.can.includes('answer')) return 'solved'
  if (track.on_hold === ('reporter' satisfies OnHold) && track.can.includes('reply')) return 'question'
  if (track.phase === 'closed' && track.can.includes('answer')) return 'reopen'
  return null
}
