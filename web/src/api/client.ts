/** One way to ask the services: a time limit, a bearer token, an idempotency key, and errors that can be told apart. */
import { noteServerTime } from '../logic/clock'
import { session, signOut } from './session'

export interface Problem {
  type: string
  title: string
  status: number
  errors?: { loc: (string | number)[]; msg: string }[]
  phase?: string
  can?: string[]
  case?: unknown
}

/** `status` 0: no answer at all (no network, or too slow). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
  ) {
    super(problem?.title ?? `status ${status}`)
  }

  get slug(): string {
    return this.problem?.type.split(':').pop() ?? ''
  }

  /** Worth another try later with the same key: nobody has said no. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

export interface Options {
  body?: unknown
  query?: Record<string, string | number | boolean | null | undefined>
  key?: string
  /** Without the signed-in person's token, such as when an issue's code opens it. */
  anonymous?: boolean
  keepalive?: boolean
}

const PATIENCE = 15_000

export function address(path: string, query: Options['query'] = {}): string {
  const parts = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  if (!parts.length) return path
  return `${path}?${new URLSearchParams(parts.map(([name, value]) => [name, String(value)])).toString()}`
}

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = {}
  const bearer = options.anonymous ? null : session.value?.token
  if (bearer) headers.Authorization = `Bearer ${bearer}`
  if (options.key) headers['Idempotency-Key'] = options.key
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  let answer: Response
  let told: unknown
  try {
    answer = await fetch(address(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: AbortSignal.timeout(PATIENCE),
      keepalive: options.keepalive ?? false,
      cache: 'no-store',
    })
    const text = await answer.text()
    told = text && answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
  } catch {
    throw new Refused(0, null)
  }
  if (!answer.ok) {
    if (answer.status === 401 && bearer && session.value?.token === bearer) signOut()
    throw new Refused(answer.status, typeof told === 'object' ? (told as Problem) : null)
  }
  noteNow(told)
  return told as T
}

/** An answer with a countdown carries `now`; in a list each item does. */
function noteNow(told: unknown): void {
  const { now, items } = (told ?? {}) as { now?: unknown; items?: { now?: unknown }[] }
  const at = now ?? (Array.isArray(items) ? items[0]?.now : undefined)
  if (typeof at === 'string') noteServerTime(at)
}

export const get = <T>(path: string, query?: Options['query'], options?: Options) =>
  call<T>('GET', path, { ...options, query: { ...query, ...options?.query } })
export const post = <T>(path: string, body: unknown, options?: Options) => call<T>('POST', path, { ...options, body })

/** Random, also where the page is not served over https and `randomUUID` is absent. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
