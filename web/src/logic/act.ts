/** A press of a button: once at a time, with a key of its own, and with words for whatever comes back. */
import { provide, ref, type InjectionKey, type Ref } from 'vue'
import { newKey, Refused } from '../api/client'
import type { Case } from '../api/models'
import { useWords } from '../i18n'

export interface Notice {
  kind: 'good' | 'bad' | 'plain'
  text: string
}

/** What came of the last act, for a sheet that lies over the page which says it. */
export const NOTICE: InjectionKey<Ref<Notice | null>> = Symbol('notice')

/** What to tell somebody about a refusal; `holder` is named when it has moved on to someone. */
export function tell(error: unknown, w = useWords().value): string {
  if (!(error instanceof Refused)) return w.common.failed
  if (error.slug === 'already-moved') return w.common.moved((error.problem?.case as Case | undefined)?.holder?.label ?? '')
  if (error.slug === 'no-quorum') return w.meeting.noQuorum
  if (error.status === 409) return w.common.wrongState
  if (error.status === 401) return w.common.signInFirst
  if (error.status === 403) return w.common.notYours
  if (error.status === 404) return w.common.gone
  if (error.status === 429 || error.status === 503) return w.common.busy
  if (error.status === 0) return w.common.unreachable
  return error.problem?.errors?.map((each) => each.msg.split(' / ')[0]).join('；') || w.common.failed
}

/**
 * Runs one act at a time. A press that got no answer is repeated with the same key, so it counts once. `done` is told
 * at once; `after` shows what is now, also when somebody else was faster, and buttons wait for it.
 */
export function useAct(after: () => unknown = () => undefined) {
  const busy = ref(false)
  const notice = ref<Notice | null>(null)
  provide(NOTICE, notice)
  let pending: { name: string; key: string } | null = null

  async function act<T>(name: string, send: (key: string) => Promise<T>, done?: string | ((answer: T) => string | void)) {
    if (busy.value) return undefined
    busy.value = true
    notice.value = null
    if (pending?.name !== name) pending = { name, key: newKey() }
    try {
      const answer = await send(pending.key)
      pending = null
      const text = typeof done === 'function' ? done(answer) : done
      if (text) notice.value = { kind: 'good', text }
      await after()
      return answer
    } catch (error) {
      const refused = error instanceof Refused
      if (!refused || !error.passing) pending = null
      notice.value = { kind: refused && error.status === 409 ? 'plain' : 'bad', text: tell(error) }
      if (refused && error.status === 409) await after()
      return undefined
    } finally {
      busy.value = false
    }
  }

  return { busy, notice, act }
}
