import { describe, expect, it } from 'vitest'
import { gone, left, moment, pace } from '../src/logic/clock'
import { zh } from '../src/i18n/zh'

const at = (text: string) => Date.parse(`2026-11-24T${text}+08:00`)
const iso = (text: string) => new Date(at(text)).toISOString()

describe('a countdown', () => {
  it('says hours and minutes, and seconds only near the end', () => {
    expect(zh.span(left(iso('13:42:00'), at('10:30:00')))).toBe('3小时12分')
    expect(zh.span(left(iso('10:42:30'), at('10:30:00')))).toBe('12分')
    expect(zh.span(left(iso('10:31:05'), at('10:30:00')))).toBe('1分5秒')
    expect(zh.span(left(iso('10:30:02'), at('10:30:00')))).toBe('2秒')
  })
  it('knows when it is over', () => {
    expect(left(iso('10:29:59'), at('10:30:00')).late).toBe(true)
    expect(left(iso('10:30:00'), at('10:30:00')).late).toBe(false)
  })
  it('is soon in the last quarter and late at the end', () => {
    expect(pace(iso('10:00:00'), iso('14:00:00'), at('12:59:59'))).toBe('on-time')
    expect(pace(iso('10:00:00'), iso('14:00:00'), at('13:00:00'))).toBe('soon')
    expect(pace(iso('10:00:00'), iso('14:00:00'), at('14:00:00'))).toBe('late')
    expect(gone(iso('10:00:00'), iso('14:00:00'), at('13:00:00'))).toBe(0.75)
    expect(gone(iso('10:00:00'), iso('10:00:00'), at('10:00:00'))).toBe(1)
  })
})

describe('a time of day', () => {
  const when = (then: string, now: string) => zh.when(moment(then, Date.parse(now)))
  it('is told by the calendar of the district, whatever the device thinks', () => {
    expect(when('2026-11-24T10:30:00Z', '2026-11-24T02:30:00Z')).toBe('18:30')
    expect(when('2026-11-24T16:00:00Z', '2026-11-24T15:59:00Z')).toBe('明天 00:00')
    expect(when('2026-11-30T16:30:00Z', '2026-11-24T02:30:00Z')).toBe('12月1日 00:30')
  })
})
