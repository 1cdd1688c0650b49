import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// In development `npm run dev` shows changes at once and asks a running system for everything else.
const system = process.env.CHUISHAO_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue()],
  // The policy of the server's pages allows no data: addresses and no inline scripts.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { '/api': system, '/sandbox': system } },
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false },
})
