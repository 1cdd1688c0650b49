/** Who is signed in here. A tab keeps its own person, so that five people can sit side by side in one browser. */
import { computed, ref } from 'vue'

export interface SignedIn {
  token: string
  /** Number in the workbook, or null for a resident or a role. */
  no: string | null
  role: string | null
  department: string | null
  /** What the person is called on the sign-in page: a title, or a masked phone. */
  title: string
  /** Where this person's work is. */
  home: string
}

const KEY = 'chuishao.session'

function stored(): SignedIn | null {
  for (const storage of [sessionStorage, localStorage]) {
    try {
      const found = storage.getItem(KEY)
      if (found) return JSON.parse(found) as SignedIn
    } catch {
      // A browser that keeps nothing, or something else's words under our key: nobody is signed in.
    }
  }
  return null
}

export const session = ref<SignedIn | null>(stored())
export const token = computed(() => session.value?.token ?? null)

export function signIn(who: SignedIn): void {
  session.value = who
  for (const storage of [sessionStorage, localStorage]) storage.setItem(KEY, JSON.stringify(who))
}

export function signOut(): void {
  session.value = null
  for (const storage of [sessionStorage, localStorage]) storage.removeItem(KEY)
}

/** What a token says about its bearer; its signature is the server's business. */
export function claims(token: string): { no: string | null; role: string | null; department: string | null } | null {
  try {
    const part = token.split('.')[1] ?? ''
    const bytes = Uint8Array.from(atob(part.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
    const told = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, string | undefined>
    return { no: told.no ?? null, role: told.role ?? null, department: told.dep ?? null }
  } catch {
    return null
  }
}
