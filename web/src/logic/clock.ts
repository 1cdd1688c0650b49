/** Times as people read them. The server's clock decides; the device's only counts the seconds between two answers. */
import { computed, ref } from 'vue'

const ahead = ref(0)
const beat = ref(Date.now())
let beating = 0

/** How far the server is ahead, from an answer's `now`. */
export function noteServerTime(now: string): void {
  const at = Date.parse(now)
  if (Number.isNaN(at)) return
  // Under half a second it is the way of the answer, and a countdown would tremble.
  if (Math.abs(at - Date.now() - ahead.value) > 500) ahead.value = at - Date.now()
}

export function startClock(): void {
  window.clearInterval(beating)
  beating = window.setInterval(() => (beat.value = Date.now()), 1000)
}

/** The server's time in ms; whatever reads it is drawn again every second. */
export const serverNow = computed(() => beat.value + ahead.value)

const ZONE = 'Asia/Shanghai'
const PARTS = new Intl.DateTimeFormat('en-CA', {
  timeZone: ZONE,
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})

export interface Moment {
  year: number
  month: number
  day: number
  /** Days from today: 0 today, 1 tomorrow, -1 yesterday. */
  offset: number
  time: string
}

function parts(ms: number): { year: number; month: number; day: number; time: string; days: number } {
  const told = Object.fromEntries(PARTS.formatToParts(ms).map((part) => [part.type, part.value]))
  const [year, month, day] = [Number(told.year), Number(told.month), Number(told.day)]
  return { year, month, day, time: `${told.hour}:${told.minute}`, days: Date.UTC(year, month - 1, day) / 86_400_000 }
}

/** A moment by the calendar of the district, seen from `now`. */
export function moment(at: string | number, now: number): Moment {
  const [then, today] = [parts(typeof at === 'number' ? at : Date.parse(at)), parts(now)]
  return { year: then.year, month: then.month, day: then.day, offset: then.days - today.days, time: then.time }
}

export interface Left {
  late: boolean
  days: number
  hours: number
  minutes: number
  seconds: number
  /** Milliseconds; negative when late. */
  ms: number
}

/** What is left until `until`; when that has passed, how long ago it was. */
export function left(until: string, now: number): Left {
  const ms = Date.parse(until) - now
  const seconds = Math.floor(Math.abs(ms) / 1000)
  return {
    late: ms < 0,
    days: Math.floor(seconds / 86_400),
    hours: Math.floor((seconds % 86_400) / 3600),
    minutes: Math.floor((seconds % 3600) / 60),
    seconds: seconds % 60,
    ms,
  }
}

export type Pace = 'on-time' | 'soon' | 'late'

/** On time, in the last quarter, or late. Without a beginning the last hour counts as soon. */
export function pace(since: string | null, until: string, now: number): Pace {
  const end = Date.parse(until)
  if (now >= end) return 'late'
  const term = since ? end - Date.parse(since) : 4 * 3_600_000
  return end - now <= term / 4 ? 'soon' : 'on-time'
}

/** The share of a term that is gone, 0 to 1. */
export function gone(since: string, until: string, now: number): number {
  const [begin, end] = [Date.parse(since), Date.parse(until)]
  if (end <= begin) return 1
  return Math.min(1, Math.max(0, (now - begin) / (end - begin)))
}
