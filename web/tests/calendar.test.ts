import { describe, expect, it } from 'vitest'
import { dayOf, readDays, weeks } from '../src/logic/calendar'

const known = {
  holidays: ['2027-01-01'],
  workdays: ['2027-01-09'],
  days: [{ date: '2027-01-05', open: false }],
}
const shape = (date: string) => {
  const { open, kind, own } = dayOf(date, known)
  return `${kind} ${open ? 'open' : 'closed'}${own ? ' own' : ''}`
}

describe('a calendar', () => {
  it('knows holidays, make-up days and the district’s own', () => {
    expect(shape('2027-01-01')).toBe('holiday closed')
    expect(shape('2027-01-09')).toBe('workday open')
    expect(shape('2027-01-10')).toBe('weekend closed')
    expect(shape('2027-01-05')).toBe('open closed own')
    expect(shape('2027-01-04')).toBe('open open')
  })

  it('shows a month in weeks from Monday', () => {
    const sheet = weeks(2027, 2, known)
    expect(sheet.length).toBe(4)
    expect(sheet[0]?.[0]?.date).toBe('2027-02-01')
    expect(sheet[3]?.[6]?.date).toBe('2027-02-28')
    expect(weeks(2027, 1, known)[0]?.slice(0, 5).map((cell) => cell?.day ?? null)).toEqual([null, null, null, null, 1])
  })

  it('reads days however they are set apart, and spans', () => {
    expect(readDays('2027-01-01..2027-01-03，2027-02-11\n2027-02-12')).toEqual([
      '2027-01-01',
      '2027-01-02',
      '2027-01-03',
      '2027-02-11',
      '2027-02-12',
    ])
    expect(readDays('')).toEqual([])
    expect(readDays('2027-1-1')).toBeNull()
    expect(readDays('2027-02-31')).toBeNull()
  })
})
