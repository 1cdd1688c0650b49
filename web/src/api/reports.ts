/** Reports on their way: written on the device first, sent when there is a network, then remembered with their code. */
import { ref } from 'vue'
import { Queue, type Sent, type Waiting } from '../logic/queue'
import { call, newKey, Refused } from './client'
import type { ReportIn, Reported } from './models'
import { forget, upload } from './photos'
import { session } from './session'

export interface Mine {
  id: string
  code: string
  number: string
  text: string
  at: string
}

interface Entry {
  report: ReportIn
  /** Keys of photos that go with it. */
  photos?: string[]
  /** Reported as whoever is signed in, or by phone. */
  signed: string | null
}

const MINE = 'chuishao.mine'
const FLUSH_EVERY = 10_000

function kept(): Mine[] {
  try {
    return JSON.parse(localStorage.getItem(MINE) ?? '[]') as Mine[]
  } catch {
    return []
  }
}

export const mine = ref<Mine[]>(kept())

function remember(entry: Mine): void {
  mine.value = [entry, ...mine.value.filter((each) => each.id !== entry.id)].slice(0, 50)
  localStorage.setItem(MINE, JSON.stringify(mine.value))
}

/** The last that went out, so that the page that sent it can go on to its climb. */
export const lastSent = ref<{ key: string; mine: Mine; duplicates: boolean } | null>(null)

async function send(entry: Waiting<Entry>): Promise<Sent> {
  const { report, signed, photos } = entry.body
  // Whose token it was is not ours to change: signed out meanwhile, it waits until the same person is back.
  if (signed && session.value?.token !== signed && !report.phone) return { refused: '401' }
  const anonymous = !signed || session.value?.token !== signed
  try {
    const attachments = await upload(photos ?? [], !anonymous)
    const body = attachments.length ? { ...report, attachments } : report
    const told = await call<Reported>('POST', '/api/intake/issues', { body, key: entry.key, anonymous })
    void forget(photos ?? [])
    const sent = { id: told.id, code: told.track, number: told.number, text: report.text.slice(0, 80), at: entry.at }
    remember(sent)
    lastSent.value = { key: entry.key, mine: sent, duplicates: Boolean(told.duplicates?.length) }
    return 'sent'
  } catch (error) {
    if (!(error instanceof Refused) || error.passing) return 'later'
    return { refused: error.problem?.errors?.map((each) => each.msg.split(' / ')[0]).join('；') || titleOf(error) }
  }
}

const titleOf = (error: Refused): string => error.problem?.title.split(' / ')[0] || String(error.status)

const queue = new Queue<Entry>(localStorage, 'chuishao.waiting', send)
export const waiting = ref(queue.list())

export async function flush(): Promise<void> {
  await queue.flush()
  waiting.value = queue.list()
}

/** Keeps the report, then tries to send it. Gives its key. */
export async function report(body: ReportIn, photos: string[]): Promise<string> {
  const key = newKey()
  const signed = session.value?.token ?? null
  queue.add({ key, at: new Date().toISOString(), body: { report: body, photos, signed } })
  await flush()
  return key
}

export function drop(key: string): void {
  void forget(queue.list().find((each) => each.key === key)?.body.photos ?? [])
  queue.drop(key)
  waiting.value = queue.list()
}

export function startSending(): void {
  window.addEventListener('online', () => void flush())
  window.setInterval(() => {
    if (waiting.value.some((each) => !each.refused)) void flush()
  }, FLUSH_EVERY)
  void flush()
}
