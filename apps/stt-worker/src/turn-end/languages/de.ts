import type { WordHints } from '../language-hints.ts';

export const german: WordHints = {
  by: 'words',
  open:
    'und oder aber denn weil dass wenn ob obwohl damit sodass sondern als während bevor nachdem sobald falls bis wie ' +
    'der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner mein meine meinen meinem ' +
    'meiner dein deine deinen deinem deiner sein seine seinen seinem ihr ihre ihren ihrem unser unsere unseren unserem ' +
    'euer eure dieser diese dieses diesen diesem jeder jede jedes jeden welche welcher welches welchen ' +
    'für von bei durch gegen ohne seit über unter zwischen neben hinter vom zum zur beim im am ins wegen trotz statt außer ' +
    'ich wir er man wo warum wieso weshalb was wer wen wem komma punkt minus plus mal herr frau ' +
    'ich-möchte ich-hätte-gerne ich-hätte-gern ich-würde-gerne ich-würde-gern ich-will ich-wollte ich-brauche ich-suche ' +
    'ich-glaube ich-denke ich-meine können-sie könnten-sie kannst-du könntest-du würden-sie haben-sie hast-du gibt-es ' +
    'es-gibt zum-beispiel so-dass und-dann und-zwar in-der in-die in-den in-das an-der an-die an-den auf-der auf-die ' +
    'auf-den mit-der mit-dem mit-den so-viel-wie mehr-als weniger-als das-heißt',
  leaning:
    'ist sind bin bist war waren hat habe haben hatte hatten hast wird werden wurde würde würden kann können könnte könnten ' +
    'muss müssen müsste soll sollen sollte sollten will wollen möchte möchten darf dürfen mag sehr ganz ziemlich zu viel ' +
    'viele mehr wenig weniger nur auch noch schon immer nie fast etwa ungefähr circa eigentlich vielleicht nicht nichts ' +
    'neue neuen nächste nächsten nächster letzte letzten erste ersten andere anderen in',
  either:
    'ab an auf aus ein los mit nach um vor zurück sie es du mich dich sich uns euch mir dir ihm ihn ihnen da hier dort so',
  fillers: 'äh ähm öh hm hmm mhm tja also naja moment warte-mal sagen-wir mal-sehen weißt-du sozusagen halt',
  closed:
    'bitte danke dankeschön danke-schön vielen-dank ja nein jawohl genau richtig gut okay ok klar natürlich hallo ' +
    'tschüss auf-wiedersehen guten-morgen guten-tag guten-abend stopp halt-stopp abbrechen hilfe weiter doch egal ' +
    'schon-gut bitte-nicht ich-weiß-nicht keine-ahnung das-ist-alles das-wars fertig',
  closing:
    'heute morgen übermorgen gestern jetzt nochmal noch-mal wieder heute-abend morgen-früh nächste-woche letzte-woche ' +
    'dieses-jahr uhr an-rufen',
  questions:
    'was wo wann warum wieso weshalb wer wen wem wie wohin woher welche welcher welches welchen wieviel ist sind hat haben ' +
    'hast kann kannst können könnten könntest soll sollen muss darf gibt wird würden',
  requests:
    'bitte stell stelle spiel spiele zeig zeige sag sage erinnere ruf rufe öffne schließ schließe schick schicke ' +
    'buch buche such suche mach mache gib schalt schalte lies erklär erkläre ich-möchte ich-hätte ich-will ' +
    'ich-brauche ich-würde hilf starte bestell bestelle reservier reserviere',
  coordinators: 'und oder aber also dann',
  subordinate: 'wenn weil obwohl falls während nachdem bevor sobald da dass ob',
  firsts: 'zuerst erstens zweitens',
  auxiliaries:
    'ist sind bin war waren hat habe haben hatte hatten wird werden wurde würde würden kann können könnte könnten muss müssen soll ' +
    'sollen sollte will wollen darf dürfen mag möchte',
  verbFinal: 'weil dass wenn ob als obwohl während nachdem bevor sobald falls damit',
  subjects: 'ich wir er du man',
  determiners:
    'der die das den dem ein eine einen einem einer mein meine meinen dein deine sein seine ihr ihre unser unsere dieser ' +
    'diese dieses',
  numbers:
    'null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn ' +
    'achtzehn neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend million',
  digits: 'null eins zwei zwo drei vier fünf sechs sieben acht neun',
  multipliers: 'hundert tausend million',
  dictated: 'nummer kundennummer kontonummer bestellnummer iban ziffern',
  telephones: 'telefonnummer handynummer vorwahl',
  codes: 'code pin postleitzahl',
};
