import type { WordHints } from '../language-hints.ts';

export const dutch: WordHints = {
  by: 'words',
  open:
    'en of maar want omdat dat als hoewel zodat terwijl voordat nadat zodra tenzij totdat wie die welke dan ' +
    "de het een mijn m'n jouw je-eigen zijn-eigen haar-eigen ons onze jullie-eigen hun deze dit elke elk ieder iedere " +
    'geen sommige enkele ' +
    'van voor bij door tegen zonder sinds tussen naast achter onder boven tijdens volgens wegens naar met te ' +
    'ik wij we hij ze men waar waarom wat punt komma streepje apenstaartje plus min keer meneer mevrouw ' +
    'ik-wil ik-wil-graag ik-zou-graag ik-zou ik-wou ik-heb-een ik-zoek ik-denk ik-denk-dat ik-bedoel kunt-u kun-je kan-je ' +
    'zou-je zou-u wilt-u wil-je heeft-u heb-je is-er zijn-er er-is er-zijn bijvoorbeeld in-de in-het op-de op-het aan-de ' +
    'aan-het met-de uit-de over-de om-te zoals in-plaats-van meer-dan minder-dan zo-veel-als en-dan',
  leaning:
    'is zijn ben bent was waren heeft heb hebben had hadden wordt worden werd kan kunnen kon moet moeten zal zullen zou ' +
    'zouden wil willen mag mogen gaat ga gaan heel erg zeer te-veel veel weinig meer minder ook nog alleen al altijd nooit ' +
    'bijna ongeveer eigenlijk misschien niet nieuwe volgende laatste eerste andere in op',
  either: 'aan af uit over om mee toe terug je jij u het-zelf mij me jou hem haar ons-zelf hen er hier daar zo',
  fillers: 'eh uh ehm uhm hm hmm nou even-kijken even-denken wacht-even zeg-maar laat-me-kijken tja',
  closed:
    'alsjeblieft alstublieft dank-je dank-u dank-je-wel dank-u-wel bedankt ja nee jawel goed prima oké ok okay klopt ' +
    'precies natuurlijk hallo hoi dag doei tot-ziens goedemorgen goedemiddag goedenavond stop hou-op annuleer help ' +
    'verder laat-maar ik-weet-het-niet weet-ik-niet dat-is-alles klaar hoe-laat-is-het',
  closing:
    'vandaag morgen gisteren nu weer opnieuw nog-een-keer vanavond vanmorgen volgende-week vorige-week dit-jaar uur',
  questions:
    'wat waar wanneer waarom wie hoe hoeveel welke welk waarheen waarvandaan is zijn heeft heb kan kun kunt zou zal mag ' +
    'moet ga gaat',
  requests:
    'alsjeblieft zet speel toon laat vertel zeg herinner bel open sluit stuur boek reserveer voeg verwijder zoek ' +
    'vind geef doe lees leg help bestel koop annuleer ik-wil ik-zou ik-wou',
  coordinators: 'en of maar dus dan',
  subordinate: 'als omdat hoewel terwijl nadat voordat zodra tenzij of',
  firsts: 'eerst ten-eerste',
  auxiliaries:
    'is zijn was waren heeft heb hebben had wordt worden werd kan kunnen moet moeten zal zullen zou wil willen mag mogen gaat ga gaan',
  verbFinal: 'omdat dat als of hoewel terwijl nadat voordat zodra',
  subjects: 'ik wij we hij ze',
  determiners: 'de het een mijn jouw zijn haar ons onze hun deze dit',
  numbers:
    'nul een één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien ' +
    'achttien negentien twintig dertig veertig vijftig zestig zeventig tachtig negentig honderd duizend miljoen',
  digits: 'nul een één twee drie vier vijf zes zeven acht negen',
  multipliers: 'honderd duizend miljoen',
  dictated: 'nummer klantnummer rekeningnummer bestelnummer iban cijfers',
  telephones: 'telefoonnummer',
  codes: 'code pin pincode postcode',
};
