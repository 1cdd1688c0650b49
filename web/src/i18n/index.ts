/** The catalogues. Chinese is always there; English is fetched when somebody asks for it. */
import { shallowRef } from 'vue'
import { zh, type Words } from './zh'

const KEY = 'chuishao.language'
const words = shallowRef<Words>(zh)

export const useWords = () => words
export type Language = 'zh' | 'en'

export async function setLanguage(language: Language): Promise<void> {
  words.value = language === 'en' ? (await import('./en')).en : zh
  document.documentElement.lang = words.value.tag
  localStorage.setItem(KEY, language)
}

export async function startLanguage(): Promise<void> {
  const asked = new URLSearchParams(location.search).get('lang')
  if ((asked ?? localStorage.getItem(KEY)) === 'en') await setLanguage('en')
}
