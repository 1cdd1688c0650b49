import { describe, expect, it } from 'vitest'
import type { Case, Place, Track, TrackLine } from '../src/api/models'
import { zh } from '../src/i18n/zh'
import { asked, byClock, climb, clockOf } from '../src/logic/ladder'

const place: Place = {
  code: 'U1',
  level: 'micro',
  label: '1号楼1单元',
  village: false,
  kind: 'block',
  above: [
    { code: 'S1', level: 'small', label: '1号楼' },
    { code: 'M1', level: 'middle', label: '和平小区' },
    { code: 'L1', level: 'large', label: '第一网格' },
    { code: 'C', level: 'community', label: '和平社区' },
  ],
}
const line = (kind: string, level: TrackLine['level'], label: string): TrackLine => ({
  at: '2026-11-24T02:30:00Z',
  kind,
  level,
  label,
  text: '',
})
const track = (over: Partial<Track>): Track => ({
  phase: 'assigned',
  on_hold: null,
  closed_how: null,
  holder: { level: 'micro', label: '1号楼1单元 单元长', until: null },
  promised_by: null,
  now: '2026-11-24T02:30:00Z',
  reply: null,
  attachments: [],
  history: [line('received', 'micro', '1号楼1单元 单元长')],
  can: [],
  ...over,
})
const shape = (found: Track) => climb(found, place, zh.level).map((rung) => `${rung.level} ${rung.state} ${rung.label}`)

describe('the ladder', () => {
  it('shows where it is and where it may go', () => {
    expect(shape(track({}))).toEqual([
      'micro now 1号楼1单元 单元长',
      'small ahead 1号楼',
      'middle ahead 和平小区',
      'large ahead 第一网格',
      'community ahead 和平社区',
    ])
  })
  it('gives a skipped level no rung: its reason is nobody’s business', () => {
    const history = [line('received', 'micro', '单元长'), line('moved', 'middle', '小区长')]
    expect(shape(track({ history, holder: { level: 'middle', label: '小区长', until: null } }))).toEqual([
      'micro passed 单元长',
      'middle now 小区长',
      'large ahead 第一网格',
      'community ahead 和平社区',
    ])
  })
  it('begins where the case began', () => {
    const history = [line('received', 'middle', '小区长')]
    expect(shape(track({ history, holder: { level: 'middle', label: '小区长', until: null } }))[0]).toBe('middle now 小区长')
  })
  it('goes on above the community when the case does', () => {
    const history = [line('received', 'community', '值班台'), line('moved', 'subdistrict', '街道值班台')]
    expect(shape(track({ history, holder: { level: 'subdistrict', label: '街道值班台', until: null } }))).toEqual([
      'community passed 值班台',
      'subdistrict now 街道值班台',
    ])
  })
})

describe('what is asked of the resident', () => {
  it('is whether it is solved, a question, or nothing', () => {
    expect(asked(track({}))).toBe(null)
    expect(asked(track({ phase: 'resolved', can: ['answer'] }))).toBe('solved')
    expect(asked(track({ on_hold: 'reporter', can: ['reply'] }))).toBe('question')
    expect(asked(track({ phase: 'closed', can: ['answer'] }))).toBe('reopen')
  })
})

describe('the clock of a case', () => {
  const found = (over: Partial<Case>) => ({ phase: 'assigned', accept_by: null, resolve_by: null, opened_at: '1', ...over }) as Case
  it('is the one that runs', () => {
    expect(clockOf(found({ accept_by: 'a', resolve_by: 'r' }))?.kind).toBe('accept')
    expect(clockOf(found({ phase: 'accepted', accept_by: 'a', resolve_by: 'r' }))?.kind).toBe('resolve')
    expect(clockOf(found({ phase: 'resolved', resolve_by: 'r' }))).toBe(null)
  })
  it('puts what is due first first, and what has no clock last', () => {
    const [a, b, c] = [found({ accept_by: '2026-2' }), found({ accept_by: '2026-1' }), found({})]
    expect([a, c, b].sort(byClock)).toEqual([b, a, c])
  })
})
