import type { WordHints } from '../language-hints.ts';

export const portuguese: WordHints = {
  by: 'words',
  open:
    'e ou mas porque que se embora quando onde como enquanto nem pois porém então-que ' +
    'o a os as um uma uns umas meu minha meus minhas teu tua seu sua seus suas nosso nossa nossos nossas este esta estes ' +
    'estas esse essa esses essas aquele aquela cada algum alguma nenhum nenhuma qualquer outro outra ' +
    'de do da dos das em no na nos nas num numa com por pelo pela pelos pelas para pra pro sem sobre entre até desde ' +
    'contra durante após ante sob ao à aos às eu me te lhe qual quais ponto vírgula traço arroba mais menos vezes senhor ' +
    'senhora ' +
    'eu-gostaria gostaria gostaria-de eu-quero quero queria eu-preciso preciso preciso-de pode poderia podia você-pode ' +
    'tenho-que tem-que vou vamos acho-que penso-que por-exemplo para-que antes-de depois-de além-de perto-de em-vez-de ' +
    'por-causa-de o-que é-que será-que a-fim-de',
  leaning:
    'é são era eram sou está estão estou estava foi ser estar tem têm tenho tinha há ter faz fazer vai vão deve devem muito ' +
    'muita muitos muitas tão pouco pouca também só apenas já ainda sempre nunca quase não novo nova próximo próxima último ' +
    'última primeiro primeira melhor talvez',
  either: 'ele ela eles elas você vocês nós isto isso aquilo aqui ali lá dentro fora perto longe tudo todos todas',
  fillers: 'eh hum hmm hã ãh ahn bem-eh deixa-eu-ver deixa-me-ver espera um-momento quer-dizer digamos tipo né',
  closed:
    'por-favor obrigado obrigada muito-obrigado muito-obrigada sim não não-obrigado claro certo está-bem tá-bom tudo-bem ' +
    'bom ok okay perfeito exato isso-mesmo olá oi tchau adeus bom-dia boa-tarde boa-noite até-logo não-sei eu-não-sei ' +
    'é-só-isso só-isso para pare chega cancela ajuda continua',
  closing: 'hoje amanhã ontem agora depois de-novo outra-vez esta-noite semana-que-vem na-próxima-semana mais-tarde',
  questions:
    'o-que que qual quais onde quando como quem quanto quanta quantos quantas por-que porque pode poderia você tem há é está ' +
    'será',
  requests:
    'por-favor põe ponha toca toque mostra mostre diz diga lembra lembre liga ligue abre abra fecha feche envia ' +
    'envie reserva reserve adiciona procura procure acha dá dê acende apaga quero eu-quero gostaria eu-gostaria ' +
    'preciso eu-preciso lê leia explica explique ajuda-me pede compra cancela',
  coordinators: 'e ou mas então',
  subordinate: 'se quando enquanto embora como porque caso',
  firsts: 'primeiro segundo',
  determiners: 'o a os as um uma meu minha teu tua seu sua nosso nossa este esta esse essa',
  numbers:
    'zero um dois duas três quatro cinco seis meia sete oito nove dez onze doze treze catorze quatorze quinze dezesseis ' +
    'dezasseis dezessete dezassete dezoito dezenove dezanove vinte trinta quarenta cinquenta sessenta setenta oitenta ' +
    'noventa cem cento mil milhão',
  digits: 'zero um dois duas três quatro cinco seis meia sete oito nove',
  multipliers: 'cem cento mil milhão',
  dictated: 'número conta cartão postal pedido referência passaporte cpf',
  telephones: 'telefone celular telemóvel',
  codes: 'código senha pin cep',
};
