import './styles/tokens.css'
import './styles/base.css'
import { createApp } from 'vue'
import { startSending } from './api/reports'
import App from './App.vue'
import { startLanguage } from './i18n'
import { startClock } from './logic/clock'
import { showElder } from './logic/comfort'
import { router } from './router'

showElder()
startClock()
startSending()
void startLanguage().finally(() => createApp(App).use(router).mount('#app'))
