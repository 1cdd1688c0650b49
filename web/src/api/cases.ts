/** Cases with the residents' words: whoever may see the case asks routing for its state and intake for its words. */
import { get } from './client'
import type { Case, Issue, Page } from './models'

export interface Work {
  case: Case
  issue: Issue | null
}

const MOST = 200

export async function issuesOf(ids: string[]): Promise<Map<string, Issue>> {
  const found = new Map<string, Issue>()
  for (let at = 0; at < ids.length; at += 100) {
    const part = ids.slice(at, at + 100)
    const told = await get<Page<Issue>>('/api/intake/issues', { ids: part.join(','), limit: 100 })
    for (const issue of told.items) found.set(issue.id, issue)
  }
  return found
}

export async function casesOf(query: Record<string, string | null>, phases: readonly string[]): Promise<Case[]> {
  const pages = await Promise.all(
    phases.map((phase) => get<Page<Case>>('/api/routing/cases', { ...query, phase, limit: MOST })),
  )
  return pages.flatMap((page) => page.items)
}

export async function withWords(cases: Case[]): Promise<Work[]> {
  const issues = cases.length ? await issuesOf(cases.map((each) => each.id)) : new Map<string, Issue>()
  return cases.map((each) => ({ case: each, issue: issues.get(each.id) ?? null }))
}

/** The case with its hops; a short list may ask for each, a long one must not. */
export const caseOf = (id: string) => get<Case>(`/api/routing/cases/${id}`)
