import { primaryLanguage } from '@parley/protocol';

/** What is said when no engine could answer; by primary language subtag. */
const APOLOGIES: Readonly<Record<string, string>> = {
  de: 'Entschuldigung, das hat gerade nicht geklappt. Bitte versuchen Sie es noch einmal.',
  en: 'Sorry, something went wrong just now. Please try again.',
  es: 'Lo siento, algo ha fallado. Inténtelo de nuevo, por favor.',
  fr: 'Désolé, quelque chose n’a pas marché. Veuillez réessayer.',
  it: 'Mi dispiace, qualcosa è andato storto. Riprova, per favore.',
  nl: 'Sorry, er ging iets mis. Probeer het alstublieft opnieuw.',
  pt: 'Desculpe, algo deu errado. Tente novamente, por favor.',
  ja: '申し訳ありません。うまくいきませんでした。もう一度お願いします。',
  zh: '抱歉，刚才出了点问题。请再试一次。',
  ko: '죄송합니다. 문제가 생겼습니다. 다시 말씀해 주세요.',
};

const FALLBACK = 'en';

/** The apology in a language, in English where there is none. */
export const apologyIn = (language: string): string =>
  APOLOGIES[primaryLanguage(language)] ?? APOLOGIES[FALLBACK] ?? '';
