/** Live updates: an event stream read by fetch (EventSource sends no bearer), and a look every 5 s where there is none.
 * An event says only that something changed; pages then ask for what they show. */
import { onBeforeUnmount, onMounted, ref, watch, type Ref } from 'vue'
import { session } from './session'

export interface LiveEvent {
  type: string
  id: string
  seq?: number
}

export const online = ref(navigator.onLine)
window.addEventListener('online', () => (online.value = true))
window.addEventListener('offline', () => (online.value = false))

const POLL = 5_000
const SILENCE = 40_000

/** Events of a stream of lines; comments keep it alive. */
export async function* readEvents(body: ReadableStream<Uint8Array>, alive: () => void): AsyncGenerator<LiveEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader()
  let rest = ''
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      alive()
      const lines = (rest + value).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (!line.startsWith('data:')) continue
        try {
          yield JSON.parse(line.slice(5)) as LiveEvent
        } catch {
          // A line that is no event: the next look shows what is.
        }
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined)
  }
}

/** Waits longer after each failure: 0.5 s to 10 s, never all browsers at one moment. */
export const backOff = (failures: number, random = Math.random()): number =>
  Math.min(10_000, 500 * 2 ** failures) * (0.7 + 0.6 * random)

/**
 * Calls `look` when something changed, after every reconnect, and every 5 s while there is no stream. `path` is null
 * while there is nothing to follow. Gives whether the page is live.
 */
export function useLive(path: Ref<string | null>, look: (event: LiveEvent | null) => unknown): Ref<boolean> {
  const live = ref(false)
  let stop = new AbortController()
  let soon = 0
  let poll = 0
  let over = false

  function ask(event: LiveEvent | null): void {
    window.clearTimeout(soon)
    soon = window.setTimeout(() => void look(event), event ? 60 : 0)
  }

  async function once(address: string, signal: AbortSignal): Promise<'again' | 'never'> {
    const quiet = new AbortController()
    let timer = window.setTimeout(() => quiet.abort(), SILENCE)
    try {
      const bearer = session.value?.token
      const answer = await fetch(address, {
        headers: bearer && !address.includes('code=') ? { Authorization: `Bearer ${bearer}` } : {},
        signal: AbortSignal.any([signal, quiet.signal]),
        cache: 'no-store',
      })
      if (!answer.ok || !answer.body || !answer.headers.get('content-type')?.includes('event-stream'))
        return answer.status >= 400 && answer.status < 500 && answer.status !== 429 ? 'never' : 'again'
      live.value = true
      ask(null)
      const alive = () => {
        window.clearTimeout(timer)
        timer = window.setTimeout(() => quiet.abort(), SILENCE)
      }
      for await (const event of readEvents(answer.body, alive)) ask(event)
    } catch {
      // Cut off; what comes next is a new try.
    } finally {
      window.clearTimeout(timer)
      live.value = false
    }
    return 'again'
  }

  async function follow(address: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const began = Date.now()
      if ((await once(address, signal)) === 'never') return
      if (Date.now() - began > 20_000) failures = 0
      await new Promise((wake) => window.setTimeout(wake, backOff(failures)))
    }
  }

  function start(): void {
    stop.abort()
    stop = new AbortController()
    if (path.value && !over) void follow(path.value, stop.signal)
  }

  const seen = () => {
    if (document.visibilityState === 'visible') ask(null)
  }
  onMounted(() => {
    start()
    poll = window.setInterval(() => {
      if (!live.value && path.value && document.visibilityState === 'visible') ask(null)
    }, POLL)
    document.addEventListener('visibilitychange', seen)
    window.addEventListener('online', seen)
  })
  watch([path, () => session.value?.token], start)
  onBeforeUnmount(() => {
    over = true
    stop.abort()
    window.clearInterval(poll)
    window.clearTimeout(soon)
    document.removeEventListener('visibilitychange', seen)
    window.removeEventListener('online', seen)
  })
  return live
}
