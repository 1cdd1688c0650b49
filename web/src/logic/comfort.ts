/** Large type for whoever wants it, remembered on the device. */
import { ref } from 'vue'

const KEY = 'chuishao.elder'
export const elder = ref(localStorage.getItem(KEY) === '1')

export function showElder(): void {
  document.documentElement.toggleAttribute('data-elder', elder.value)
}

export function toggleElder(): void {
  elder.value = !elder.value
  localStorage.setItem(KEY, elder.value ? '1' : '0')
  showElder()
}
