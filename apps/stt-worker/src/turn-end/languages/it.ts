import type { WordHints } from '../language-hints.ts';

export const italian: WordHints = {
  by: 'words',
  open:
    'e ed o oppure ma però perché che se anche-se quando dove come mentre quindi né cioè siccome ' +
    "il lo la i gli le un uno una l' un' mio mia miei mie tuo tua tuoi tue suo sua suoi sue nostro nostra vostro vostra loro " +
    'questo questa questi queste quel quello quella quei ogni qualche alcuni alcune nessun nessuna ' +
    'di del della dello dei degli delle a al alla allo ai agli alle da dal dalla in nel nella nei nelle con su sul sulla ' +
    "per tra fra senza verso durante contro presso d' all' dell' nell' sull' dall' dell io mi ti ci vi quale quali " +
    'punto virgola trattino chiocciola più meno signor signora ' +
    'vorrei voglio ho-bisogno ho-bisogno-di mi-piacerebbe puoi può potresti potrebbe devo posso sto-cercando penso-che ' +
    "credo-che c'è ci-sono per-esempio ad-esempio in-modo-da prima-di dopo-aver invece-di vicino-a insieme-a a-causa-di " +
    'quello-che',
  leaning:
    'è sono era erano sei siamo essere ha ho hai hanno aveva avere fa fare va vado deve devono vuole molto molta molti ' +
    'molte tanto troppo poco anche solo soltanto ancora già sempre mai quasi non nuovo nuova prossimo prossima ultimo ' +
    'ultima primo prima altro altra forse',
  either: 'lui lei noi voi essi me te lo-stesso qui qua lì là dentro fuori dopo sopra sotto tutto tutti',
  fillers: 'ehm eh mmm hm allora-eh dunque vediamo aspetta un-attimo diciamo insomma cioè-eh boh',
  closed:
    'per-favore per-piacere grazie grazie-mille sì no certo va-bene bene ok okay perfetto esatto giusto ciao ' +
    "buongiorno buonasera buonanotte arrivederci d'accordo non-lo-so non-so è-tutto basta fermati annulla aiuto " +
    'continua che-ore-sono',
  closing:
    'oggi domani ieri adesso ora di-nuovo ancora-una-volta stasera stamattina la-prossima-settimana più-tardi ' +
    'per-niente',
  questions:
    "che cosa cosa dove dov'è quando come com'è perché chi quale quali quanto quanta quanti quante puoi può potresti hai ha " +
    "c'è ci-sono è qual",
  requests:
    'per-favore metti suona mostra mostrami dimmi ricordami chiama apri chiudi manda invia prenota aggiungi togli ' +
    'cerca trova dammi accendi spegni vorrei voglio ho-bisogno mi-piacerebbe leggi spiega aiutami ordina compra ' +
    'annulla',
  coordinators: 'e o ma allora',
  subordinate: 'se quando mentre siccome anche-se sebbene poiché',
  firsts: 'prima primo',
  determiners: "il lo la i gli le un uno una l' mio mia tuo tua suo sua nostro nostra questo questa quel quella",
  numbers:
    'zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici ' +
    'diciassette diciotto diciannove venti trenta quaranta cinquanta sessanta settanta ottanta novanta cento mille milione',
  digits: 'zero uno due tre quattro cinque sei sette otto nove',
  multipliers: 'cento mille milione',
  dictated: 'numero conto carta ordine riferimento passaporto cifre',
  telephones: 'telefono cellulare',
  codes: 'codice pin cap',
};
