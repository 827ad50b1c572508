import { primaryLanguage } from '@parley/protocol';

/** How long a tool may take before something is said. */
export const FILLER_AFTER_MS = 1_500;

/** "One moment please", each a single clause. */
const FILLERS: Readonly<Record<string, string>> = {
  ar: 'لحظة من فضلك.',
  bg: 'Един момент моля.',
  ca: 'Un moment si us plau.',
  cs: 'Okamžik prosím.',
  da: 'Et øjeblik.',
  de: 'Einen Moment bitte.',
  el: 'Μια στιγμή παρακαλώ.',
  en: 'One moment please.',
  es: 'Un momento por favor.',
  et: 'Üks hetk palun.',
  fa: 'یک لحظه لطفاً.',
  fi: 'Hetkinen vain.',
  fr: "Un instant s'il vous plaît.",
  he: 'רגע אחד בבקשה.',
  hi: 'एक क्षण रुकिए।',
  hr: 'Trenutak molim.',
  hu: 'Egy pillanat.',
  id: 'Sebentar ya.',
  it: 'Un momento per favore.',
  ja: '少々お待ちください。',
  ko: '잠시만 기다려 주세요.',
  lt: 'Vieną akimirką.',
  lv: 'Vienu mirklīti.',
  nb: 'Et øyeblikk.',
  nl: 'Een moment alstublieft.',
  no: 'Et øyeblikk.',
  pl: 'Chwileczkę proszę.',
  pt: 'Um momento por favor.',
  ro: 'Un moment vă rog.',
  ru: 'Одну минуту пожалуйста.',
  sk: 'Okamih prosím.',
  sl: 'Trenutek prosim.',
  sr: 'Тренутак молим.',
  sv: 'Ett ögonblick.',
  th: 'รอสักครู่นะคะ',
  tr: 'Bir dakika lütfen.',
  uk: 'Одну хвилину будь ласка.',
  vi: 'Xin chờ một chút.',
  zh: '请稍等。',
};

/** What is said in this language while a tool takes long; nothing where no words are known. */
export const fillerFor = (language: string): string => FILLERS[primaryLanguage(language)] ?? '';
