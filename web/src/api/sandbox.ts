/** The stand-in for the providers: demonstration people and their telephones. Absent in a real deployment. */
import { call, get, post } from './client'

export interface Person {
  id: string
  title: string
  note: string
  group: 'resident' | 'leader' | 'desk' | 'department' | 'command' | 'other'
  home: string
}

export async function people(): Promise<Person[]> {
  const told = await get<{ items: Record<string, unknown>[] }>('/sandbox/people', {}, { anonymous: true })
  return told.items as unknown as Person[]
}

export async function tokenOf(person: Person): Promise<string> {
  const path = `/sandbox/people/${encodeURIComponent(person.id)}/token`
  return (await call<{ token: string }>('POST', path, { body: {}, anonymous: true })).token
}

export { post }
