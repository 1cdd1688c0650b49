/** Words cut where something personal stands in them. Positions are code points, as the server counts. */
import type { Hint } from '../api/models'

export interface Piece {
  text: string
  hint: Hint | null
}

export function pieces(words: string, hints: readonly Hint[]): Piece[] {
  const points = Array.from(words)
  const cut: Piece[] = []
  let at = 0
  for (const hint of [...hints].sort((a, b) => a.start - b.start)) {
    if (hint.start < at || hint.end > points.length) continue
    if (hint.start > at) cut.push({ text: points.slice(at, hint.start).join(''), hint: null })
    cut.push({ text: points.slice(hint.start, hint.end).join(''), hint })
    at = hint.end
  }
  if (at < points.length) cut.push({ text: points.slice(at).join(''), hint: null })
  return cut
}

export function without(words: string, hint: Hint): string {
  const points = Array.from(words)
  return [...points.slice(0, hint.start), ...points.slice(hint.end)].join('').replace(/ {2,}/g, ' ').trim()
}

export const isMobile = (typed: string): boolean => /^(\+?86)?1[3-9]\d{9}$/.test(typed.replace(/[\s-]/g, ''))
