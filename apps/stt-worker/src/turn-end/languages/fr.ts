import type { WordHints } from '../language-hints.ts';

export const french: WordHints = {
  by: 'words',
  open:
    'et ou mais donc car parce-que que qui dont si quand lorsque comme puisque quoique afin-que pour-que ni ' +
    'le la les un une des du de au aux mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces ' +
    'chaque quelques plusieurs aucun aucune quel quelle quels quelles ' +
    'à en dans sur sous avec sans pour par vers chez entre depuis pendant contre jusque selon malgré dès ' +
    "je j' tu on nous-avons d' l' qu' c' s' n' m' t' point virgule tiret arobase fois moins monsieur madame " +
    "je-voudrais j'aimerais je-veux je-vais j'ai-besoin j'ai-besoin-de il-faut il-faut-que est-ce-que est-ce-qu'il " +
    'pouvez-vous peux-tu pourriez-vous pourrais-tu je-pense-que je-crois-que il-y-a y-a-t-il par-exemple à-cause ' +
    "à-cause-de à-côté-de en-train-de avant-de après-avoir c'est c'est-à-dire parce-qu'il ainsi-que tel-que plus-de " +
    'moins-de beaucoup-de un-peu-de',
  leaning:
    'est sont suis es était étaient sera être a ont ai as avait avoir fait faire peut peux peuvent doit dois doivent veut ' +
    'veux va vas vont vais sommes êtes avez avons très trop assez si-peu plus aussi seulement encore déjà toujours jamais ' +
    'presque ne pas nouveau nouvelle prochain prochaine dernier dernière premier première autre autres peut-être',
  either: 'il elle ils elles nous vous moi toi lui eux ça cela y là ici dedans dehors après avant devant derrière',
  fillers: 'euh heu hum hmm ben bah eh-bien alors-euh voyons attendez attends comment-dire disons enfin-euh',
  closed:
    "s'il-vous-plaît s'il-te-plaît merci merci-beaucoup oui non ouais si-si d'accord ok okay bien très-bien parfait " +
    "exact exactement bonjour bonsoir salut au-revoir à-bientôt bonne-nuit bien-sûr c'est-ça c'est-tout " +
    'je-ne-sais-pas je-sais-pas laisse-tomber stop arrête arrêtez annule aide continue',
  closing:
    "aujourd'hui demain hier maintenant ce-soir ce-matin encore-une-fois tout-de-suite la-semaine-prochaine plus-tard " +
    'pas-du-tout',
  questions:
    'que quoi où quand comment pourquoi qui combien quel quelle quels quelles est-ce pouvez peux pourriez avez as ' +
    "qu'est-ce peut-on est",
  requests:
    "s'il-te s'il-vous mets mettez joue jouez montre montrez dis dites rappelle appelle appelez ouvre ferme " +
    "envoie envoyez réserve réservez ajoute cherche trouve donne donnez allume éteins je-voudrais j'aimerais " +
    "je-veux j'ai-besoin lis explique aide aidez commande achète annule",
  coordinators: 'et ou mais donc alors',
  subordinate: 'si quand lorsque comme puisque quoique même-si parce',
  firsts: "d'abord premièrement",
  subjects: "je tu il elle on ils elles nous vous j'étais j'avais j'ai",
  determiners: "le la les un une des mon ma mes ton ta tes son sa ses notre votre leur ce cette ces l'",
  numbers:
    'zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante ' +
    'cinquante soixante cent mille million',
  digits: 'zéro un deux trois quatre cinq six sept huit neuf',
  multipliers: 'cent mille million',
  dictated: 'numéro compte carte commande référence passeport chiffres',
  telephones: 'téléphone portable',
  codes: 'code postal pin',
};
