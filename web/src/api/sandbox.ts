/** The stand-in for the providers: demonstration people and their telephones. Absent in a real deployment. */
import { call, get, post } from './client'

export type Kind = 'resident' | 'leader' | 'desk' | 'secretary' | 'seat' | 'department' | 'command'

/** Somebody to sign in as; `no` is a 编号, or `resident`, or `command`. */
export interface Person {
  no: string
  title: string
  kind: Kind
  grid: { code: string; label: string } | null
}

export interface Bubble {
  id: string
  channel: 'sms' | 'wechat' | 'wecom'
  person: string
  title: string | null
  text: string
  buttons: { key: string; text: string }[] | null
  /** What a pressed card shows instead of its buttons. */
  shown: string | null
  at: string
}

const HOME: Record<Kind, string> = {
  resident: '/r',
  leader: '/leader',
  desk: '/desk',
  secretary: '/meetings',
  seat: '/meetings',
  department: '/department',
  command: '/desk',
}

export const homeOf = (person: Person): string => HOME[person.kind] ?? '/'
export const nameOf = (person: Person): string => (person.grid ? `${person.grid.label} ${person.title}` : person.title)

const open = { anonymous: true }
export const people = async (): Promise<Person[]> => (await get<{ items: Person[] }>('/sandbox/people', {}, open)).items
export const bubbles = async (): Promise<Bubble[]> => (await get<{ items: Bubble[] }>('/sandbox/phones', {}, open)).items

export async function tokenOf(person: Person): Promise<string> {
  const told = await call<{ token: string }>('POST', `/sandbox/people/${encodeURIComponent(person.no)}/token`, open)
  return told.token
}

export const sendText = (no: string, text: string) =>
  post<{ answer: string }>(`/sandbox/phones/${encodeURIComponent(no)}/send`, { text }, open)
export const press = (no: string, message: string, button: string) =>
  post<{ ok: boolean }>(`/sandbox/phones/${encodeURIComponent(no)}/click`, { message, button }, open)
