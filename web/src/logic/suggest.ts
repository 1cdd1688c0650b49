/** Which item of the catalogue some words are about: a small table of what people say. */

const SAID: Record<string, string[]> = {
  'SAF.gas': ['煤气', '燃气', '天然气', '漏气', '瓦斯'],
  'SAF.fire': ['着火', '起火', '冒烟', '火灾', '烧起来'],
  'SAF.exit': ['消防通道', '通道堵', '楼道堆', '堆杂物', '堆物', '杂物'],
  'SAF.charging': ['飞线', '电动车进楼', '电瓶车', '电动车充电', '电梯里电动车'],
  'HEAT.cold': ['不热', '太冷', '家里冷', '暖气凉', '屋里冷', '温度低', '暖气不'],
  'HEAT.outage': ['停暖', '没暖气', '整栋不热', '都不热', '停热'],
  'HEAT.pipe': ['暖气漏', '暖气管', '暖气片漏'],
  'WAT.leak': ['漏水', '爆管', '跑水', '渗水', '滴水', '天花板湿', '水管破'],
  'WAT.sewage': ['下水', '堵了', '反水', '污水', '马桶堵', '化粪池', '冒粪'],
  'WAT.pressure': ['没水', '停水', '水压', '水小', '水太小'],
  'ELE.outage': ['停电', '没电', '跳闸', '断电'],
  'LIFT.trapped': ['困在电梯', '电梯困人', '关在电梯', '被困电梯', '电梯里出不来'],
  'LIFT.fault': ['电梯坏', '电梯停', '电梯不', '电梯抖', '电梯'],
  'PROP.service': ['物业', '保安', '门禁', '单元门坏'],
  'HYG.garbage': ['垃圾', '臭味', '脏', '没人扫', '保洁'],
  'PARK.block': ['堵车', '挡车', '停车', '占车位', '乱停', '堵门口'],
  'NOI.night': ['噪音', '吵', '太响', '半夜', '广场舞', '装修声'],
  'DIS.neighbour': ['邻居', '吵架', '纠纷', '楼上漏', '楼上天天'],
  'FAC.light': ['灯', '路灯', '楼道灯', '黑', '看不见台阶'],
  'BLD.illegal': ['违建', '私搭', '加盖', '占地盖'],
  'PEO.service': ['低保', '补贴', '养老', '老人', '残疾', '办证', '医保'],
  'ENV.tree': ['树', '绿化', '草坪', '树枝'],
  'ADV.advice': ['建议', '咨询', '问一下', '请问', '能不能'],
}
const URGENT_FIRST = ['SAF.gas', 'SAF.fire', 'LIFT.trapped']
export const EMERGENCIES: readonly string[] = URGENT_FIRST

/** Codes that fit, best first, at most `most`; only codes that `known` has. Nothing said: nothing suggested. */
export function suggest(words: string, known: ReadonlySet<string>, most = 3): string[] {
  const scored: [string, number][] = []
  for (const [code, said] of Object.entries(SAID)) {
    if (!known.has(code)) continue
    const score = said.reduce((sum, each) => sum + (words.includes(each) ? each.length : 0), 0)
    if (score) scored.push([code, URGENT_FIRST.includes(code) ? score + 10 : score])
  }
  return scored
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([code]) => code)
}
