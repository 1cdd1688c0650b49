import { describe, expect, it } from 'vitest'
import { en } from '../src/i18n/en'
import { zh } from '../src/i18n/zh'
import { isMobile, pieces, without } from '../src/logic/hints'
import { suggest } from '../src/logic/suggest'
import { fromField, toField } from '../src/logic/whistle'

const KNOWN = new Set(['FAC.light', 'WAT.leak', 'SAF.gas', 'LIFT.trapped', 'LIFT.fault', 'DIS.neighbour', 'HEAT.cold'])

describe('a category', () => {
  it('is suggested from the words', () => {
    expect(suggest('楼道灯不亮了', KNOWN)[0]).toBe('FAC.light')
    expect(suggest('有人困在电梯里', KNOWN)[0]).toBe('LIFT.trapped')
    expect(suggest('楼上漏水，还有煤气味', KNOWN)[0]).toBe('SAF.gas')
    expect(suggest('今天天气不错', KNOWN)).toEqual([])
    expect(suggest('楼道灯不亮了', new Set())).toEqual([])
  })
})

describe('hints', () => {
  const hint = { kind: 'name', start: 1, end: 4 }
  it('cut the words by code points, as the server counts', () => {
    expect(pieces('😀王大爷家', [hint]).map((piece) => piece.text)).toEqual(['😀', '王大爷', '家'])
    expect(without('😀王大爷家', hint)).toBe('😀家')
  })
  it('that no longer fit are left out', () => {
    expect(pieces('短', [hint]).map((piece) => piece.text)).toEqual(['短'])
  })
})

describe('a telephone', () => {
  it('is a mobile number of China', () => {
    for (const good of ['13912345678', '139 1234 5678', '+8613912345678']) expect(isMobile(good)).toBe(true)
    for (const bad of ['1391234567', '23912345678', '04748880000']) expect(isMobile(bad)).toBe(false)
  })
})

describe('a time in a field', () => {
  it('is the district’s, whatever the device says', () => {
    const at = Date.parse('2026-11-24T02:30:00Z')
    expect(toField(at)).toBe('2026-11-24T10:30')
    expect(Date.parse(fromField(toField(at)))).toBe(at)
  })
})

describe('the catalogues', () => {
  const keys = (value: object, path = ''): string[] =>
    Object.entries(value).flatMap(([name, inner]) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? keys(inner as object, `${path}${name}.`) : `${path}${name}`,
    )
  it('say the same things', () => {
    expect(keys(en)).toEqual(keys(zh))
  })
  it('never shout', () => {
    expect(JSON.stringify(zh)).not.toMatch(/[!！]/)
  })
})
