import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import ReportPage from './pages/ReportPage.vue'

// What a resident opens from a door's QR code comes with the first answer; everything else when it is needed.
// `once`: a page that shows one thing of several keeps standing while the address changes.
const routes: RouteRecordRaw[] = [
  { path: '/', name: 'sign-in', component: () => import('./pages/SignInPage.vue') },
  { path: '/r/:code?', name: 'report', component: ReportPage, props: true },
  { path: '/i/:id', name: 'climb', component: () => import('./pages/ClimbPage.vue'), props: true },
  { path: '/mine', name: 'mine', component: () => import('./pages/MinePage.vue') },
  { path: '/leader/:id?', name: 'leader', component: () => import('./pages/LeaderPage.vue'), props: true, meta: { once: true } },
  {
    path: '/department/:id?',
    name: 'department',
    component: () => import('./pages/DepartmentPage.vue'),
    props: true,
    meta: { once: true },
  },
  { path: '/desk/:id?', name: 'desk', component: () => import('./pages/DeskPage.vue'), props: true, meta: { once: true } },
  { path: '/meetings', name: 'meetings', component: () => import('./pages/MeetingsPage.vue') },
  { path: '/meeting/:id', name: 'meeting', component: () => import('./pages/MeetingPage.vue'), props: true },
  { path: '/phones', name: 'phones', component: () => import('./pages/PhonesPage.vue') },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('./pages/NowherePage.vue') },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})
