/** The catalogue of what can be reported; kept on the device, so that a report can be written without a network. */
import { computed, shallowRef } from 'vue'
import { get } from './client'
import type { CategoryClass, CategoryItem, Page } from './models'

const KEY = 'chuishao.categories'

function kept(): CategoryClass[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as CategoryClass[]
  } catch {
    return []
  }
}

export const classes = shallowRef<CategoryClass[]>(kept())
const byCode = computed(() => {
  const found = new Map<string, CategoryItem & { of: string }>()
  for (const each of classes.value)
    for (const item of each.items) {
      const code = item.code.includes('.') ? item.code : `${each.code}.${item.code}`
      found.set(code, { ...item, code, of: each.label })
    }
  return found
})

export const known = computed(() => new Set(byCode.value.keys()))
export const itemOf = (code: string) => byCode.value.get(code)
export const labelOf = (code: string): string => itemOf(code)?.label ?? code

let asked: Promise<void> | null = null
export function loadCategories(): Promise<void> {
  asked ??= get<Page<CategoryClass>>('/api/intake/categories', {}, { anonymous: true })
    .then((answer) => {
      classes.value = answer.items
      localStorage.setItem(KEY, JSON.stringify(answer.items))
    })
    .catch(() => {
      asked = null
    })
  return asked
}
