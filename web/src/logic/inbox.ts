/** The desk's filters. */
import type { Work } from '../api/cases'
import { pace } from './clock'
import { clockOf } from './ladder'

export const FILTERS = ['all', 'onTime', 'soon', 'late', 'place', 'supervised', 'held'] as const
export type Filter = (typeof FILTERS)[number]

export interface Facts {
  unplaced: { has(id: string): boolean }
  supervised: { has(id: string): boolean }
  now: number
}

export function passes(work: Work, filter: Filter, search: string, facts: Facts): boolean {
  const found = work.case
  const wanted = search.trim()
  if (wanted && ![found.number, found.place.label, work.issue?.text, found.holder?.label].some((text) => text?.includes(wanted)))
    return false
  const clock = clockOf(found)
  switch (filter) {
    case 'all':
      return true
    case 'place':
      return facts.unplaced.has(found.id)
    case 'supervised':
      return found.supervised || facts.supervised.has(found.id)
    case 'held':
      return found.on_hold !== null
    default: {
      const now = clock ? pace(clock.since, clock.until, facts.now) : null
      return now === { onTime: 'on-time', soon: 'soon', late: 'late' }[filter]
    }
  }
}
