/** What a page shows, fetched again whenever something changed: data, whether it has come yet, and what went wrong. */
import { ref, shallowRef, type ShallowRef, type Ref } from 'vue'
import { Refused } from './client'

export interface Look<T> {
  data: ShallowRef<T | null>
  /** Set while there is nothing to show because of it; an old view stays when a new look fails. */
  error: Ref<Refused | null>
  away: Ref<boolean>
  look: () => Promise<void>
}

export function useLook<T>(fetchIt: () => Promise<T>): Look<T> {
  const data = shallowRef<T | null>(null)
  const error = ref<Refused | null>(null)
  const away = ref(false)
  let latest = 0
  let newest: Promise<void> = Promise.resolve()

  /** Resolves when what is shown is at least as new as this call, also where a later look overtook it. */
  function look(): Promise<void> {
    newest = once(++latest)
    return newest
  }

  async function once(mine: number): Promise<void> {
    try {
      const found = await fetchIt()
      if (mine !== latest) return await newest
      data.value = found
      error.value = null
      away.value = false
    } catch (failure) {
      if (mine !== latest) return await newest
      if (!(failure instanceof Refused)) throw failure
      away.value = failure.passing
      error.value = failure.passing && data.value !== null ? null : failure
    }
  }

  return { data, error: error as Ref<Refused | null>, away, look }
}
