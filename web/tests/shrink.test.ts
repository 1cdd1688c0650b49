import { describe, expect, it } from 'vitest'
import { fitted } from '../src/logic/shrink'

describe('a photo made smaller', () => {
  it('keeps its shape, and its longer edge is 2560 at most', () => {
    expect(fitted(4000, 3000)).toEqual([2560, 1920])
    expect(fitted(3000, 4000)).toEqual([1920, 2560])
  })
  it('is not made larger, and never nothing', () => {
    expect(fitted(640, 480)).toEqual([640, 480])
    expect(fitted(100_000, 1)).toEqual([2560, 1])
  })
})
