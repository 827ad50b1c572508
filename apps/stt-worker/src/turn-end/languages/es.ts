import type { WordHints } from '../language-hints.ts';

export const spanish: WordHints = {
  by: 'words',
  open:
    'y e o u pero porque que si aunque sino cuando donde como mientras ni pues ' +
    'el la los las un una unos unas mi mis tu tus su sus nuestro nuestra nuestros nuestras este estos esta estas ese esa ' +
    'esos esas aquel aquella cada algún alguna ningún ninguna cualquier otro otra ' +
    'de del a al en con por para sin sobre entre hasta desde hacia según contra durante mediante ante bajo tras ' +
    'yo me te se lo le les nos cuyo cuya cuál cuáles qué quién punto coma guion arroba más menos señor señora ' +
    'me-gustaría quiero quisiera necesito me-puede puede puedes podría podrías me-podría tengo-que tienes-que hay-que ' +
    'voy-a vamos-a quiero-que creo-que pienso-que es-que o-sea por-ejemplo así-que ya-que para-que antes-de después-de ' +
    'además-de cerca-de a-través-de en-lugar-de tal-como lo-que el-que la-que',
  leaning:
    'es son era eran soy eres está están estoy estaba fue ser estar ha han he has había hay tiene tienen tengo hace hacer ' +
    'va van debe deben muy tan mucho mucha muchos muchas poco poca también solo sólo ya aún todavía siempre nunca casi no ' +
    'nuevo nueva próximo próxima último última primer primera mejor quizás quizá tal-vez',
  either:
    'ella él usted ustedes ellos ellas esto eso aquello uno ahí aquí allí dentro fuera cerca lejos todo toda todos',
  fillers: 'eh em este-eh mmm hm pues-eh bueno a-ver digamos o-sea-que espera un-momento déjame-ver',
  closed:
    'por-favor gracias muchas-gracias sí no-gracias vale claro bien perfecto exacto correcto hola adiós buenos-días ' +
    'buenas-tardes buenas-noches hasta-luego de-acuerdo está-bien no-sé no-lo-sé eso-es eso-es-todo nada-más para ' +
    'basta cancela ayuda continúa no',
  closing:
    'hoy mañana ayer ahora después luego otra-vez de-nuevo también-gracias esta-noche esta-tarde la-semana-que-viene ' +
    'la-próxima-semana',
  questions:
    'qué que cuál cuáles dónde donde cuándo cuando cómo como quién quiénes cuánto cuánta cuántos cuántas por-qué puedes puede ' +
    'podría podrías tienes tiene hay es está',
  requests:
    'por-favor pon reproduce muestra muéstrame dime recuérdame llama abre cierra envía manda reserva añade quita ' +
    'busca encuentra dame apaga enciende quiero quisiera me-gustaría necesito necesitamos lee explica ayúdame ' +
    'pide compra cancela',
  coordinators: 'y o pero entonces',
  subordinate: 'si aunque porque cuando mientras como',
  firsts: 'primero segundo',
  determiners: 'el la los las un una mi mis tu su sus nuestro nuestra este esta ese esa',
  numbers:
    'cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete ' +
    'dieciocho diecinueve veinte veintiuno veintidós treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ' +
    'ciento mil millón',
  digits: 'cero uno dos tres cuatro cinco seis siete ocho nueve',
  multipliers: 'cien ciento mil millón',
  dictated: 'número cuenta tarjeta pedido referencia pasaporte dni dígitos',
  telephones: 'teléfono móvil',
  codes: 'código clave pin postal',
};
