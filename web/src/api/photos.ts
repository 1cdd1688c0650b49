/** Photos on their way: kept on the device until they are used, sent with progress, shown to whoever may see them. */
import { ref } from 'vue'
import { address, newKey, Refused, type Problem } from './client'
import { session, signOut } from './session'

const PATIENCE = 120_000
export const MOST_PHOTOS = 9

/** 0 to 1 while photos are going out, of all that go together. */
export const progress = ref<number | null>(null)

// -- on the device -------------------------------------------------------------------------------------------------
const STORE = 'photos'
/** Where the browser keeps no database (private windows of some), they live as long as the page. */
const memory = new Map<string, Blob>()
let opening: Promise<IDBDatabase | null> | null = null

function database(): Promise<IDBDatabase | null> {
  opening ??= new Promise((done) => {
    try {
      const asked = indexedDB.open('chuishao', 1)
      asked.onupgradeneeded = () => asked.result.createObjectStore(STORE)
      asked.onsuccess = () => done(asked.result)
      asked.onerror = asked.onblocked = () => done(null)
    } catch {
      done(null)
    }
  })
  return opening
}

async function ask<T>(mode: IDBTransactionMode, what: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  const found = await database()
  if (!found) return undefined
  return new Promise((done) => {
    const asked = what(found.transaction(STORE, mode).objectStore(STORE))
    asked.onsuccess = () => done(asked.result)
    asked.onerror = () => done(undefined)
  })
}

/** Keeps a photo under a new key, which is its idempotency key as well. */
export async function keep(photo: Blob): Promise<string> {
  const key = newKey()
  memory.set(key, photo)
  await ask('readwrite', (store) => store.put(photo, key))
  return key
}

export async function kept(key: string): Promise<Blob | null> {
  return memory.get(key) ?? (await ask<Blob | undefined>('readonly', (store) => store.get(key))) ?? null
}

export async function forget(keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    memory.delete(key)
    await ask('readwrite', (store) => store.delete(key))
  }
}

// -- to the server --------------------------------------------------------------------------------------------------
/** Sends what is kept under these keys. Gives the ids; sent again it gives the same ones. Raises Refused. */
export async function upload(keys: readonly string[], signed = true): Promise<string[]> {
  const ids: string[] = []
  try {
    for (const [at, key] of keys.entries()) {
      const photo = await kept(key)
      if (photo) ids.push(await send(photo, key, signed, (part) => (progress.value = (at + part) / keys.length)))
    }
  } finally {
    progress.value = null
  }
  return ids
}

/** A body with the ids of the photos that go with it. */
export async function withPhotos<T extends object>(body: T, keys: readonly string[]): Promise<T> {
  return keys.length ? { ...body, attachments: await upload(keys) } : body
}

/** `fetch` tells nothing of what has gone out yet. */
function send(photo: Blob, key: string, signed: boolean, told: (part: number) => void): Promise<string> {
  const bearer = signed ? session.value?.token : null
  const form = new FormData()
  form.append('file', photo, 'photo.jpg')
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('POST', '/api/intake/attachments')
    request.timeout = PATIENCE
    request.responseType = 'json'
    if (bearer) request.setRequestHeader('Authorization', `Bearer ${bearer}`)
    request.setRequestHeader('Idempotency-Key', key)
    request.upload.onprogress = (event) => told(event.lengthComputable ? event.loaded / event.total : 0)
    request.onerror = request.ontimeout = request.onabort = () => fail(new Refused(0, null))
    request.onload = () => {
      if (request.status === 201) return done((request.response as { id: string }).id)
      if (request.status === 401 && bearer && session.value?.token === bearer) signOut()
      fail(new Refused(request.status, request.response as Problem | null))
    }
    told(0)
    request.send(form)
  })
}

// -- from the server ------------------------------------------------------------------------------------------------
/** The picture as an address of this page, to be revoked; null when it is not to be had. An `<img>` sends no token. */
export async function pictureOf(id: string, code: string | null): Promise<string | null> {
  const bearer = code ? null : session.value?.token
  try {
    const answer = await fetch(address(`/api/intake/attachments/${id}`, { code }), {
      headers: bearer ? { Authorization: `Bearer ${bearer}` } : {},
    })
    return answer.ok ? URL.createObjectURL(await answer.blob()) : null
  } catch {
    return null
  }
}
