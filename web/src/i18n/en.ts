import { zh, type Words } from './zh'
export const en: Words = { ...zh, tag: 'en', other: '中文' }
