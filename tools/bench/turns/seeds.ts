/** Sentences on which weights and waits may be tried out, and those from which alone figures are reported. */
export type Split = 'tuning' | 'held-out';

/** Kinds of utterances whose end has to be found. */
export type UtteranceClass = 'complete' | 'natural-pause' | 'awkward-pause' | 'number';

export const UTTERANCE_CLASSES: readonly UtteranceClass[] = ['complete', 'natural-pause', 'awkward-pause', 'number'];

/** Where the speaker stops to think. */
export const PAUSE = '|';

/** What is said, by kind; `|` is a pause. Natural ones stand between clauses and items, awkward ones inside of a phrase. */
export const UTTERANCES: Readonly<Record<Split, Readonly<Record<UtteranceClass, readonly string[]>>>> = {
  tuning: {
    complete: [
      'What time does the bank open?',
      'Please close the window.',
      'I would like a glass of water.',
      'Where did you put the keys?',
      'My brother lives in Canada.',
      'Could you help me with this letter?',
      'The children are playing outside.',
      'How much does it cost?',
    ],
    'natural-pause': [
      'When the meeting is over, | please send me the notes.',
      'I went to the doctor | because my back hurts.',
      'First we need a plan, | and then we need the money.',
      'If you see my sister, | tell her to call me.',
      'I like the red one, | but my wife likes the blue one.',
      'We need some bread, | some butter, | and a bottle of milk.',
    ],
    'awkward-pause': [
      'I would like to book a | table for two.',
      'Could you please tell me the | name of the hotel?',
      'My appointment is on | the third of May.',
      'I was thinking about | my old school.',
      'She works for a | very large company.',
      'Can you send it to | my office?',
    ],
    number: [
      'My number is five five five | two three one | eight seven four six.',
      'The code is nine four | one seven.',
      'Call me at eight zero zero | three six two | one one five nine.',
      'It costs two hundred | and fifty dollars.',
    ],
  },
  'held-out': {
    complete: [
      'What is the weather like today?',
      'Please turn off the lights in the kitchen.',
      'I need a taxi to the airport.',
      'Can you recommend a good restaurant?',
      'My flight was cancelled this morning.',
      'How long does the journey take?',
      'Tell me something about the history of this town.',
      'The train was very late.',
      'Do you have any questions?',
      'I have never been to Japan.',
      'Set an alarm for half past six.',
      'Why is the sky blue?',
    ],
    'natural-pause': [
      'If it rains tomorrow, | we can stay at home.',
      'I wanted to call you yesterday, | but my phone was broken.',
      'When I was a child, | we had a small house by the sea.',
      'Before you leave, | please lock the door.',
      'I bought apples, | oranges, | and a bag of rice.',
      'She asked me to wait, | so I sat down and read a book.',
      'After we had finished dinner, | they showed us the garden.',
      'I would like to know, | if that is possible, | what the ticket costs.',
      'He plays the piano | and his daughter sings.',
      'I am looking for a present | that my mother would like.',
    ],
    'awkward-pause': [
      'I would like to order a | large pizza with mushrooms.',
      'Can you tell me how to get to the | train station?',
      'We are going to | visit my parents on Sunday.',
      'I think that my | computer has a problem.',
      'What is the capital of | New Zealand?',
      'Please send the report to | my new address.',
      'The doctor said that I should | drink more water.',
      'I need to change the | date of my reservation.',
      'He has been living in the | same house for twenty years.',
      'Could you remind me to | buy some flowers?',
    ],
    number: [
      'My phone number is four one five | five five five | two six seven one.',
      'The order number is seven three | nine eight | zero four.',
      'You can reach me at six five zero | two five three | zero zero one three.',
      'My card ends in one two | three four.',
      'The reference is five zero nine | eight one | two six three.',
      'The total comes to three hundred | and twenty five dollars.',
      'My date of birth is the ninth of June | nineteen eighty four.',
      'The zip code is nine four | one one zero.',
    ],
  },
};

/** Said over a reply by somebody who only listens. */
export const BACKCHANNELS: Readonly<Record<Split, readonly string[]>> = {
  tuning: ['yes', 'okay', 'hmm'],
  'held-out': ['yeah', 'uh huh', 'right', 'i see', 'oh okay', 'sure'],
};

/** Said over a reply by somebody who wants the turn. */
export const INTERRUPTIONS: Readonly<Record<Split, readonly string[]>> = {
  tuning: ['Hold on a moment please.', 'That is not my question.'],
  'held-out': [
    'Stop, that is enough.',
    'No, I meant the other one.',
    'Wait a second, what was the first part?',
    'Can we talk about something else?',
    'Actually, I have another question.',
    'Thank you, I know that already.',
  ],
};
