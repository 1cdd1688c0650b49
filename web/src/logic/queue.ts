/** Reports that wait for the network: kept on the device, sent in order, each with the key it had at first. */

export interface Waiting<T> {
  key: string
  body: T
  at: string
  /** Set when the server has refused it for good: somebody has to look at it. */
  refused?: string
}

export type Sent = 'sent' | 'later' | { refused: string }

export interface Shelf {
  getItem(name: string): string | null
  setItem(name: string, value: string): void
  removeItem(name: string): void
}

export class Queue<T> {
  private sending = false

  constructor(
    private readonly shelf: Shelf,
    private readonly name: string,
    private readonly send: (entry: Waiting<T>) => Promise<Sent>,
  ) {}

  list(): Waiting<T>[] {
    try {
      const found: unknown = JSON.parse(this.shelf.getItem(this.name) ?? '[]')
      return Array.isArray(found) ? (found as Waiting<T>[]) : []
    } catch {
      return []
    }
  }

  add(entry: Waiting<T>): void {
    this.keep([...this.list().filter((each) => each.key !== entry.key), entry])
  }

  drop(key: string): void {
    this.keep(this.list().filter((each) => each.key !== key))
  }

  /** Sends what waits, oldest first; stops at the first that has to wait longer. Gives how many went out. */
  async flush(): Promise<number> {
    if (this.sending) return 0
    this.sending = true
    let gone = 0
    try {
      for (const entry of this.list().filter((each) => !each.refused)) {
        const outcome = await this.send(entry)
        if (outcome === 'later') break
        if (outcome === 'sent') {
          this.drop(entry.key)
          gone += 1
        } else {
          this.keep(this.list().map((each) => (each.key === entry.key ? { ...each, ...outcome } : each)))
        }
      }
    } finally {
      this.sending = false
    }
    return gone
  }

  private keep(entries: Waiting<T>[]): void {
    if (entries.length) this.shelf.setItem(this.name, JSON.stringify(entries))
    else this.shelf.removeItem(this.name)
  }
}
