import { describe, expect, it } from 'vitest'
import { Queue, type Sent, type Shelf, type Waiting } from '../src/logic/queue'

function shelf(): Shelf {
  const kept = new Map<string, string>()
  return {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  }
}
const entry = (key: string) => ({ key, body: key, at: '2026-11-24T10:00:00+08:00' })

function queue(answers: Record<string, Sent>) {
  const sent: string[] = []
  const place = shelf()
  const send = async (each: Waiting<string>) => {
    sent.push(each.key)
    return answers[each.key] ?? 'sent'
  }
  return { sent, place, queue: new Queue<string>(place, 'q', send) }
}

describe('reports that wait for the network', () => {
  it('go out in order and are then forgotten', async () => {
    const { queue: q, sent } = queue({})
    q.add(entry('a'))
    q.add(entry('b'))
    expect(await q.flush()).toBe(2)
    expect(sent).toEqual(['a', 'b'])
    expect(q.list()).toEqual([])
  })
  it('stay, with their key, while there is none; the later ones wait behind', async () => {
    const answers: Record<string, Sent> = { a: 'later' }
    const { queue: q, sent } = queue(answers)
    q.add(entry('a'))
    q.add(entry('b'))
    expect(await q.flush()).toBe(0)
    answers.a = 'sent'
    expect(await q.flush()).toBe(2)
    expect(sent).toEqual(['a', 'a', 'b'])
  })
  it('that were refused for good hold nothing back and are shown', async () => {
    const { queue: q } = queue({ a: { refused: '手机号不对' } })
    q.add(entry('a'))
    q.add(entry('b'))
    expect(await q.flush()).toBe(1)
    expect(q.list()).toMatchObject([{ key: 'a', refused: '手机号不对' }])
    expect(await q.flush()).toBe(0)
    q.drop('a')
    expect(q.list()).toEqual([])
  })
  it('are sent once even when asked twice at a time', async () => {
    const { queue: q, sent } = queue({})
    q.add(entry('a'))
    await Promise.all([q.flush(), q.flush()])
    expect(sent).toEqual(['a'])
  })
  it('survive what somebody else wrote under their name', () => {
    const { queue: q, place } = queue({})
    place.setItem('q', '{not json')
    expect(q.list()).toEqual([])
  })
})
