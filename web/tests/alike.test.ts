import { describe, expect, it } from 'vitest'
import type { Level, Place } from '../src/api/models'
import { alikeness, common, LIKELY, sameWords } from '../src/logic/alike'

const place = (code: string, level: Level, ...above: [string, Level][]): Place => ({
  code,
  level,
  label: code,
  village: false,
  kind: 'block',
  above: above.map(([name, at]) => ({ code: name, level: at, label: name })),
})
const one = place('U1', 'micro', ['S1', 'small'], ['M1', 'middle'], ['C', 'community'])
const next = place('U2', 'micro', ['S1', 'small'], ['M1', 'middle'], ['C', 'community'])
const far = place('U9', 'micro', ['S9', 'small'], ['M9', 'middle'], ['C', 'community'])

describe('likely duplicates', () => {
  it('are the same item in one compound', () => {
    const cold = (at: Place | null) => ({ category: 'HEAT.cold', text: '', place: at })
    expect(alikeness(cold(one), cold(next))).toBeGreaterThanOrEqual(LIKELY)
    expect(alikeness(cold(one), cold(far))).toBeLessThan(LIKELY)
    expect(alikeness(cold(one), cold(null))).toBeLessThan(LIKELY)
  })

  it('are nearly the same words of one item, wherever they were said', () => {
    const said = (text: string, at: Place) => ({ category: 'WAT.leak', text, place: at })
    expect(alikeness(said('一楼水管爆了，满地是水', one), said('一楼水管爆了，满地都是水', far))).toBeGreaterThanOrEqual(LIKELY)
    expect(alikeness(said('一楼水管爆了，满地是水', one), said('厨房水龙头坏了', far))).toBeLessThan(LIKELY)
  })

  it('share pairs of characters, not punctuation', () => {
    expect(sameWords('楼道灯不亮', '楼道灯，不亮。')).toBe(1)
    expect(sameWords('楼道灯不亮', '下水道堵了')).toBe(0)
    expect(sameWords('灯', '灯')).toBe(0)
  })

  it('belong to the lowest place above both', () => {
    expect(common(one, next)?.code).toBe('S1')
    expect(common(one, far)?.code).toBe('C')
    expect(common(one, one)?.code).toBe('U1')
  })
})
