/** Sentences on which weights and waits may be tried out, and those from which alone figures are reported. */
export type Split = 'tuning' | 'held-out';

/** Kinds of utterances whose end has to be found. */
export type UtteranceClass = 'complete' | 'natural-pause' | 'awkward-pause' | 'number';

export const UTTERANCE_CLASSES: readonly UtteranceClass[] = ['complete', 'natural-pause', 'awkward-pause', 'number'];

/** Where the speaker stops to think. */
export const PAUSE = '|';

/** Complete utterances that ask for something to be said or done: whoever asks hands over the turn. */
const ASKED: Readonly<Record<Split, readonly string[]>> = {
  tuning: [
    'What time does the bank open?',
    'Please close the window.',
    'I would like a glass of water.',
    'Where did you put the keys?',
    'Could you help me with this letter?',
    'How much does it cost?',
    'When does the museum close on Sundays?',
    'Can I bring my dog?',
    'Show me the fastest way to the station.',
    'Who won the game last night?',
    'Is there a pharmacy near here?',
    'Play the next song please.',
    'Could you say that again?',
    'I would like to cancel my order.',
    'Do you know where the keys are?',
    'Can you tell me if the shop is open?',
    'Why did he leave so early?',
    'Remind me to water the plants tonight.',
    'What should I do if I lose my passport?',
    'Let me know when you get home.',
    'How do I get to the beach?',
    'Would you like some coffee?',
  ],
  'held-out': [
    'What is the weather like today?',
    'Please turn off the lights in the kitchen.',
    'I need a taxi to the airport.',
    'Can you recommend a good restaurant?',
    'How long does the journey take?',
    'Tell me something about the history of this town.',
    'Do you have any questions?',
    'Set an alarm for half past six.',
    'Why is the sky blue?',
  ],
};

/** Complete utterances that tell something: whoever tells may well go on. */
const TOLD: Readonly<Record<Split, readonly string[]>> = {
  tuning: [
    'My brother lives in Canada.',
    'The children are playing outside.',
    'The water is too cold.',
    'We moved here three years ago.',
    'My daughter starts school in September.',
    'There was nobody in the office.',
    'I think it was a mistake.',
    'He told me about it yesterday.',
    'They want to sell their car.',
    'When I get home I will call you.',
    'If you like it you can keep it.',
    'Because I was tired.',
    'After lunch we went for a walk.',
    'I have two sisters and a brother.',
  ],
  'held-out': ['My flight was cancelled this morning.', 'The train was very late.', 'I have never been to Japan.'],
};

/** What is said, by kind; `|` is a pause. Natural ones stand between clauses and items, awkward ones inside of a phrase. */
export const UTTERANCES: Readonly<Record<Split, Readonly<Record<UtteranceClass, readonly string[]>>>> = {
  tuning: {
    complete: [...ASKED.tuning, ...TOLD.tuning],
    'natural-pause': [
      'When the meeting is over, | please send me the notes.',
      'I went to the doctor | because my back hurts.',
      'First we need a plan, | and then we need the money.',
      'If you see my sister, | tell her to call me.',
      'I like the red one, | but my wife likes the blue one.',
      'We need some bread, | some butter, | and a bottle of milk.',
      'When he opened the door, | there was nobody outside.',
      'As soon as the rain stops, | we will go for a walk.',
      'Although it was late, | nobody wanted to go home.',
      'While you were sleeping, | your brother called.',
      'Unless somebody helps us, | we will never finish this.',
      'Since we moved to the country, | I sleep much better.',
      'Once you know the rules, | the game is very easy.',
      'Before they sold the house, | they painted all the walls.',
      'Until the doctor comes, | you should stay in bed.',
      'Because the road was closed, | we had to turn around.',
      'I wonder, | if it is not too much trouble, | whether you could drive me home.',
      'Do you know, | by any chance, | who owns this bag?',
      'Could you tell me, | please, | when the shop opens?',
      'There were chairs, | tables, | and an old piano.',
      'You have to add an egg, | a spoon of sugar, | and some flour.',
      'We visited Paris, | London, | and Rome.',
      'My son studies law | and my daughter wants to be a nurse.',
      'I missed the bus, | so I took a taxi.',
      'We tried to open it, | but the key did not fit.',
      'He sold the car | because he needed the money.',
      'I know a man | who can repair old clocks.',
      'They left the party | before the music started.',
      'She plays tennis on Mondays | and goes swimming on Fridays.',
      'Turn left at the church, | and then go straight on.',
      'The food was good, | but the service was terrible.',
      'I forgot my umbrella | when I left the office.',
    ],
    'awkward-pause': [
      'I would like to book a | table for two.',
      'Could you please tell me the | name of the hotel?',
      'My appointment is on | the third of May.',
      'I was thinking about | my old school.',
      'She works for a | very large company.',
      'Can you send it to | my office?',
      'The meeting starts at | half past nine.',
      'I am going to buy a | new pair of shoes.',
      'He wants to talk to the | manager of the shop.',
      'We have to be there before | ten in the morning.',
      'Could you show me how to | change the language?',
      'My sister lives in a | little village near the coast.',
      'I do not know whether | they are coming.',
      'Is there a bus from here to | the old town?',
      'The best thing about my | job is the people.',
      'I would rather have the | fish with potatoes.',
      'They asked us if we could | help them with the garden.',
      'What is the name of the | girl with the red hair?',
    ],
    number: [
      'My number is five five five | two three one | eight seven four six.',
      'The code is nine four | one seven.',
      'Call me at eight zero zero | three six two | one one five nine.',
      'It costs two hundred | and fifty dollars.',
      'My account number is eight eight one | zero five | three three.',
      'The password is four two | six six.',
      'You need to dial zero two | seven nine five | one eight four.',
      'His birthday is the fourth of July | nineteen ninety one.',
      'We paid one thousand | four hundred euros.',
      'My mobile is oh seven seven | one nine two | three eight five | six four.',
      'The room costs one hundred | and twenty pounds.',
      'The booking reference is b five | seven two | nine.',
      'The postcode is one zero | four five two.',
      'It was on the second of May | two thousand and twelve.',
      'The last four digits are six six | one nine.',
      'Her extension is three | seven five.',
    ],
  },
  'held-out': {
    complete: [...ASKED['held-out'], ...TOLD['held-out']],
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

/** A complete utterance is a question or a request. */
export const asks = (complete: string): boolean => [...ASKED.tuning, ...ASKED['held-out']].includes(complete);

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
