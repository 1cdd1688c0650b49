/** Sends an act on the case that is shown (or on `other`), and says `done` when it is done. */
import type { Case } from '../api/models'

export type Run = (name: string, body: Record<string, unknown>, done: () => string | void, other?: Case) => Promise<unknown>
