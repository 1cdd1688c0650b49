// openapi/NAME.json -> src/api/gen/NAME.d.ts
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'

const from = new URL('../openapi/', import.meta.url)
const to = new URL('../src/api/gen/', import.meta.url)
await mkdir(to, { recursive: true })
for (const file of (await readdir(from)).filter((name) => name.endsWith('.json'))) {
  const tree = await openapiTS(JSON.parse(await readFile(new URL(file, from), 'utf8')), { defaultNonNullable: false })
  await writeFile(new URL(file.replace('.json', '.d.ts'), to), astToString(tree))
}
