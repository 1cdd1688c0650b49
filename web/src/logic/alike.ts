/** Which open cases are likely the same thing: the same item nearby, or much the same words. Whoever merges decides. */
import type { Level, Place } from '../api/models'

export interface Told {
  category: string
  text: string
  place: Place | null
}

const NEAR: Partial<Record<Level, number>> = { micro: 1, small: 0.8, middle: 0.6, large: 0.3, community: 0.1 }

function pairs(text: string): Set<string> {
  const points = Array.from(text.replace(/[\s\p{P}]/gu, ''))
  return new Set(points.slice(1).map((point, at) => `${points[at]}${point}`))
}

/** Shared pairs of characters: 0 nothing in common, 1 the same words (Dice). */
export function sameWords(a: string, b: string): number {
  const [one, other] = [pairs(a), pairs(b)]
  if (!one.size || !other.size) return 0
  return (2 * [...one].filter((pair) => other.has(pair)).length) / (one.size + other.size)
}

type Named = Pick<Place, 'code' | 'level' | 'label'>
const upwards = (place: Place): Named[] => [place, ...place.above]

/** The lowest place above both. */
export function common(a: Place, b: Place): Named | null {
  const above = new Set(upwards(b).map((each) => each.code))
  return upwards(a).find((each) => above.has(each.code)) ?? null
}

/** 0 to 3, the more the likelier. */
export function alikeness(a: Told, b: Told): number {
  const near = a.place && b.place ? (NEAR[common(a.place, b.place)?.level ?? 'district'] ?? 0) : 0
  return (a.category === b.category ? 1 : 0) + near + sameWords(a.text, b.text)
}

/** The same item in one compound, or nearly the same words. */
export const LIKELY = 1.5
