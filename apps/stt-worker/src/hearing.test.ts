import { type HearingState, INITIAL_HEARING } from '@parley/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PauseEvidence, USUAL_PAUSE_MS } from './endpointing.ts';
import { Hearing, type HearingAction, type HearingSettings, isSamePause, type Pause } from './hearing.ts';

const FRAME = 512;
const SETTINGS: HearingSettings = {
  turnDetection: 'static',
  silenceMs: 700,
  patience: 50,
  minWaitMs: 250,
  maxWaitMs: 1_800,
  weights: { text: 1, sound: 0.5, habit: 0.5, languageModel: 0.5 },
  // Beyond what is reached: eager ends have tests of their own.
  eagerProbability: 1,
  maxTurnMs: 60_000,
  confirmMs: 200,
  pauseMs: 160,
  onProbability: 0.5,
  offProbability: 0.35,
};
const ms = (samples: number): number => samples / 16;
const samples = (milliseconds: number): number => milliseconds * 16;

/** Audio as the machine sees it: probability and level at any sample. */
interface Scene {
  readonly lengthSamples: number;
  probabilityAt(sample: number): number;
  levelAt(sample: number): number;
}

/** Alternating silence and speech, by their lengths in ms. */
function scene(...lengthsMs: readonly number[]): Scene {
  const spans: { from: number; to: number; isSpeech: boolean }[] = [];
  let position = 0;
  lengthsMs.forEach((lengthMs, index) => {
    spans.push({ from: position, to: position + samples(lengthMs), isSpeech: index % 2 === 1 });
    position += samples(lengthMs);
  });
  const isSpeechAt = (sample: number) =>
    spans.some(({ from, to, isSpeech }) => isSpeech && from <= sample && sample < to);
  return {
    lengthSamples: position,
    probabilityAt: (sample) => (isSpeechAt(sample) ? 0.9 : 0.02),
    // Louder and softer in the rhythm of syllables.
    levelAt: (sample) => (isSpeechAt(sample) ? -20 - 10 * Math.abs(Math.sin(sample / 4_700)) : -80),
  };
}

interface Written {
  readonly type: string;
  readonly detail: string;
}

interface Durable {
  readonly cursor: number;
  readonly hearing: HearingState;
}

const START: Durable = { cursor: 0, hearing: INITIAL_HEARING };

/** What is known of a pause, by the text before it. */
type Judge = (text: string) => PauseEvidence;

const DYNAMIC: HearingSettings = { ...SETTINGS, turnDetection: 'dynamic', eagerProbability: 0.5 };
const judge =
  (completeness: number): Judge =>
  (text) => ({ hasWords: text !== '', completeness, soundProbability: undefined });

interface Life {
  readonly maxWrites?: number;
  readonly settings?: HearingSettings;
  readonly judge?: Judge | undefined;
}

/** What a listener would write, with each segment's samples as its text; stops after `maxWrites`, as if killed. */
function listen(from: Durable, { lengthSamples, probabilityAt, levelAt }: Scene, life: Life = {}) {
  const { maxWrites = Number.POSITIVE_INFINITY, settings = SETTINGS } = life;
  const hearing = new Hearing(from.cursor, from.hearing, settings);
  const events: Written[] = [];
  let durable = from;
  let writes = 0;
  let fedFrom: number | undefined;
  let fedTo = 0;
  let weighed: Pause | undefined;
  const write = (action: HearingAction): void => {
    if (action.do === 'feed') {
      if (fedFrom === undefined) fedFrom = action.fromSample;
      else expect(action.fromSample).toBe(fedTo);
      fedTo = action.toSample;
      return;
    }
    if (action.do === 'abandon') {
      fedFrom = undefined;
      return;
    }
    let { text } = durable.hearing;
    if (action.do === 'settle') {
      expect([fedFrom, fedTo]).toEqual([action.fromSample, action.cursor]);
      fedFrom = undefined;
      text = `${text}[${action.fromSample}-${action.cursor}]`;
      events.push({ type: 'final', detail: `${action.hearing.utterance} ${action.fromSample}-${action.cursor}` });
    } else if (action.do === 'end') {
      events.push({ type: 'end', detail: `${action.utterance} ${text} ${action.sample} ${action.decidedSample}` });
      text = '';
    } else if (action.do === 'confirmed') {
      events.push({ type: action.do, detail: `${action.hearing.utterance} ${action.samples}` });
    } else if (action.do === 'eager') {
      events.push({ type: 'eager', detail: `${action.hearing.utterance} ${text} ${action.probability}` });
    } else if (action.do === 'resumed') {
      events.push({ type: 'resumed', detail: `${action.hearing.utterance}` });
    } else if (action.do !== 'move') {
      events.push({ type: action.do, detail: `${action.hearing.utterance} ${action.sample}` });
    }
    expect('cursor' in action ? action.cursor : durable.cursor).toBeGreaterThanOrEqual(durable.cursor);
    durable = { cursor: 'cursor' in action ? action.cursor : durable.cursor, hearing: { ...action.hearing, text } };
    writes += 1;
  };
  while (hearing.position + FRAME <= lengthSamples) {
    const { pause } = hearing;
    const isNew = !isSamePause(pause, weighed);
    weighed = pause;
    if (pause && isNew && life.judge) {
      for (const action of hearing.weigh(pause, life.judge(durable.hearing.text))) {
        if (writes >= maxWrites) return { events, durable, hearing };
        write(action);
      }
    }
    const startSample = hearing.position;
    const actions = hearing.step({
      startSample,
      samples: FRAME,
      probability: probabilityAt(startSample + FRAME / 2),
      levelDbfs: () => levelAt(startSample + FRAME / 2),
    });
    for (const action of actions) {
      if (writes >= maxWrites) return { events, durable, hearing };
      write(action);
    }
  }
  return { events, durable, hearing };
}

const typesOf = (events: readonly Written[]) => events.map(({ type }) => type);

describe('what is heard', () => {
  test.each([
    ['silence', scene(5_000), []],
    ['a click', scene(1_000, 32, 2_000), []],
    ['a cough', scene(1_000, 128, 2_000), ['started', 'stopped', 'final', 'end']],
    ['a sentence', scene(1_000, 2_000, 1_000), ['started', 'confirmed', 'stopped', 'final', 'end']],
    [
      'a hesitation inside a word',
      scene(1_000, 800, 100, 800, 1_000),
      ['started', 'confirmed', 'stopped', 'final', 'end'],
    ],
    [
      'a pause in a sentence',
      scene(1_000, 800, 400, 800, 1_000),
      ['started', 'confirmed', 'stopped', 'final', 'started', 'confirmed', 'stopped', 'final', 'end'],
    ],
    ['a sentence that goes on', scene(500, 2_000), ['started', 'confirmed']],
  ])('%s', (_, heard, types) => {
    expect(typesOf(listen(START, heard).events)).toEqual(types);
  });

  test('the onset is back-dated to its first sample, and confirmed by the speech since then', () => {
    const { events } = listen(START, scene(1_024, 2_000, 1_000));
    expect(events[0]).toEqual({ type: 'started', detail: `1 ${samples(1_024)}` });
    const confirmedBy = Number(events[1]?.detail.split(' ')[1]);
    // In whole frames of 32 ms, to the nearest.
    expect(ms(confirmedBy)).toBe(192);
  });

  test('speech that is known for it only after a loud beginning begins with that, and is confirmed no later for it', () => {
    // The model notices it 128 ms late.
    const late = scene(1_024 + 128, 2_000, 1_000);
    const loudFrom = (from: number, levelDbfs: number): Scene => ({
      ...late,
      levelAt: (sample) => (sample >= from && sample < samples(1_152) ? levelDbfs : late.levelAt(sample)),
    });
    const [started, confirmed] = listen(START, loudFrom(samples(1_024), -30)).events;
    expect(started).toEqual({ type: 'started', detail: `1 ${samples(1_024)}` });
    expect(confirmed?.detail).toBe(`1 ${samples(192)}`);
    // What is not loud, or has been going on for longer, is no beginning of a word.
    expect(listen(START, loudFrom(samples(1_024), -50)).events[0]?.detail).toBe(`1 ${samples(1_152)}`);
    expect(listen(START, loudFrom(0, -30)).events[0]?.detail).toBe(`1 ${samples(1_152 - 256)}`);
  });

  test('the closure of a plosive does not part a word from its beginning, a longer silence does', () => {
    const burst = (silentMs: number): string | undefined => {
      const late = scene(1_024 + 64 + silentMs, 2_000, 1_000);
      const isBurst = (sample: number): boolean => sample >= samples(1_024) && sample < samples(1_088);
      const levelAt = (sample: number): number => (isBurst(sample) ? -30 : late.levelAt(sample));
      return listen(START, { ...late, levelAt }).events[0]?.detail;
    };
    expect(burst(64)).toBe(`1 ${samples(1_024)}`);
    expect(burst(96)).toBe(`1 ${samples(1_024)}`);
    expect(burst(160)).toBe(`1 ${samples(1_248)}`);
  });

  test('a turn ends as soon as the silence has lasted, counted from the last speech', () => {
    const { events, durable } = listen(START, scene(1_024, 2_048, 1_500));
    const [, , sample, decidedSample] = events.at(-1)?.detail.split(' ').map(Number) ?? [];
    expect(sample).toBe(samples(3_072));
    expect(ms((decidedSample ?? 0) - (sample ?? 0))).toBe(704);
    expect(durable.hearing).toMatchObject({ open: false, utterance: 2, text: '', speaking: false });
    expect(durable.cursor).toBeGreaterThanOrEqual(samples(3_072));
  });

  test('two utterances are told apart', () => {
    const { events } = listen(START, scene(500, 1_000, 900, 1_000, 900));
    expect(events.map(({ detail }) => detail.split(' ')[0])).toEqual([
      '1',
      '1',
      '1',
      '1',
      '1',
      '2',
      '2',
      '2',
      '2',
      '2',
    ]);
  });

  test('in silence the cursor follows at least once a second, the pre-roll behind', () => {
    let hearing = new Hearing(0, INITIAL_HEARING, SETTINGS);
    let cursor = 0;
    for (let heard = 0; heard < samples(10_000); heard = hearing.position) {
      for (const action of hearing.step({ startSample: heard, samples: FRAME, probability: 0, levelDbfs: () => -90 })) {
        expect(action.do).toBe('move');
        if (action.do !== 'move') continue;
        expect(ms(heard + FRAME - action.cursor)).toBe(320);
        expect(ms(action.cursor - cursor)).toBeLessThanOrEqual(1_000);
        cursor = action.cursor;
      }
      if (cursor > samples(9_000)) break;
    }
    hearing = new Hearing(cursor, INITIAL_HEARING, SETTINGS);
    expect(hearing.position).toBe(cursor);
  });

  test('long speech is settled at least every five seconds, at a quiet place', () => {
    const heard = scene(500, 17_000, 1_000);
    const { events } = listen(START, heard);
    const finals = events.filter(({ type }) => type === 'final').map(({ detail }) => detail.split(' ')[1] ?? '');
    const cuts = finals.map((range) => Number(range.split('-')[1]));
    expect(cuts.length).toBeGreaterThanOrEqual(4);
    finals.reduce((previous, range) => {
      const [from = 0, to = 0] = range.split('-').map(Number);
      if (previous > 0) expect(from).toBe(previous);
      expect(ms(to - from)).toBeLessThanOrEqual(5_200);
      return to;
    }, 0);
    for (const cut of cuts.slice(0, -1)) expect(heard.levelAt(cut)).toBeLessThan(-27);
    expect(typesOf(events).filter((type) => type === 'started')).toHaveLength(1);
    expect(events.at(-1)?.detail).toContain(finals.map((range) => `[${range}]`).join(''));
  });

  test('a dip in long speech is taken at once', () => {
    const { events } = listen(START, scene(500, 4_400, 96, 3_000, 1_000));
    const [first] = events.filter(({ type }) => type === 'final');
    const cut = Number(first?.detail.split('-')[1]);
    expect(ms(cut)).toBeGreaterThan(4_850);
    expect(ms(cut)).toBeLessThan(5_000);
  });

  test('a commit ends the turn at once, whether speech goes on or pauses', () => {
    for (const heard of [scene(500, 1_500), scene(500, 1_500, 300)]) {
      const { hearing, durable } = listen(START, heard);
      const position = hearing.position;
      const actions = hearing.commit(position);
      expect(actions.at(-1)).toMatchObject({ do: 'end', utterance: 1, decidedSample: position, cursor: position });
      expect(durable.hearing.open).toBe(true);
      expect(hearing.hearing).toMatchObject({ open: false, utterance: 2 });
    }
  });

  test('a commit without anything said is nothing', () => {
    const { hearing } = listen(START, scene(1_000));
    expect(hearing.commit(hearing.position)).toEqual([]);
  });

  test('lost audio settles what was said before, and a turn does not wait for it', () => {
    const { hearing } = listen(START, scene(500, 1_500));
    const end = hearing.position;
    const actions = hearing.skip(end, end + samples(10_000));
    expect(actions.map((action) => action.do)).toEqual(['stopped', 'settle', 'move', 'end']);
    expect(hearing.position).toBe(end + samples(10_000));
  });

  test('a change of the silence counts from then on', () => {
    const { hearing } = listen(START, scene(500, 1_500, 300));
    hearing.update({ silenceMs: 400 });
    const steps = [0, 1, 2, 3].flatMap(() =>
      hearing.step({ startSample: hearing.position, samples: FRAME, probability: 0, levelDbfs: () => -90 }),
    );
    expect(steps.map((action) => action.do)).toContain('end');
  });
});

describe('a successor', () => {
  const scenes = fc
    .array(fc.tuple(fc.integer({ min: 20, max: 1_600 }), fc.integer({ min: 20, max: 7_000 })), {
      minLength: 1,
      maxLength: 6,
    })
    .map((pairs) => scene(...pairs.flat(), 2_000));

  test('that begins at the cursor, after any write, carries on with nothing lost and nothing repeated', () => {
    fc.assert(
      fc.property(scenes, fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 4 }), (heard, lives) => {
        const undisturbed = listen(START, heard).events;
        let durable = START;
        const events: Written[] = [];
        for (const writes of [...lives, Number.POSITIVE_INFINITY]) {
          const life = listen(durable, heard, { maxWrites: writes });
          events.push(...life.events);
          durable = life.durable;
        }
        expect(events).toEqual(undisturbed);
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  test('does so where text decides about the ends of turns, and says no plausible end twice', () => {
    // Something that differs from text to text, but is the same whenever it is asked for.
    const byText: Judge = (text) => {
      const sum = [...text].reduce((total, character) => total + character.charCodeAt(0), 0);
      return { hasWords: sum % 7 !== 0, completeness: (sum % 10) / 10, soundProbability: undefined };
    };
    fc.assert(
      fc.property(scenes, fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 4 }), (heard, lives) => {
        const undisturbed = listen(START, heard, { settings: DYNAMIC, judge: byText });
        let durable = START;
        const events: Written[] = [];
        for (const maxWrites of [...lives, Number.POSITIVE_INFINITY]) {
          const life = listen(durable, heard, { maxWrites, settings: DYNAMIC, judge: byText });
          events.push(...life.events);
          durable = life.durable;
        }
        expect(events).toEqual(undisturbed.events);
        expect(durable).toEqual(undisturbed.durable);
        for (const [index, { type }] of events.entries()) {
          if (type !== 'eager') continue;
          const next = events.slice(index + 1).find((later) => ['eager', 'resumed', 'end'].includes(later.type));
          expect(next?.type).not.toBe('eager');
          if (next?.type === 'end') expect(next.detail.split(' ')[1]).toBe(events[index]?.detail.split(' ')[1]);
        }
      }),
      { numRuns: 200 },
    );
  }, 60_000);

  test('whose audio no longer holds the speech that was announced still ends it', () => {
    const { durable } = listen(START, scene(500, 1_500));
    expect(durable.hearing.speaking).toBe(true);
    const { events } = listen({ ...durable }, scene(4_000));
    expect(typesOf(events)).toEqual(['stopped', 'end']);
  });
});

describe('the end of a turn by what was said', () => {
  const waits = (completeness: number, ...lengthsMs: number[]) => {
    const { events } = listen(START, scene(...lengthsMs), { settings: DYNAMIC, judge: judge(completeness) });
    const [, , sample = 0, decidedSample = 0] = (events.findLast(({ type }) => type === 'end')?.detail ?? '')
      .split(' ')
      .map(Number);
    return { types: typesOf(events), waitMs: ms(decidedSample - sample) };
  };

  test('comes soon after a whole sentence, with a word before it', () => {
    const { types, waitMs } = waits(0.93, 1_000, 2_000, 2_500);
    expect(types).toEqual(['started', 'confirmed', 'stopped', 'final', 'eager', 'end']);
    expect(waitMs).toBeLessThanOrEqual(400);
  });

  test('comes late after half a sentence, and is not called plausible for most of that time', () => {
    const { types, waitMs } = waits(0.05, 1_000, 2_000, 2_500);
    expect(types).toEqual(['started', 'confirmed', 'stopped', 'final', 'eager', 'end']);
    expect(waitMs).toBeGreaterThan(1_500);
    expect(waitMs).toBeLessThan(1_850);
    expect(waits(0.05, 1_000, 2_000, 1_000, 1_000, 2_500).types).not.toContain('resumed');
  });

  test('is taken back when speech goes on, and told anew', () => {
    const { types } = waits(0.7, 1_000, 2_000, 600, 1_000, 2_500);
    expect(types).toEqual([
      ...['started', 'confirmed', 'stopped', 'final', 'eager'],
      ...['started', 'resumed', 'confirmed', 'stopped', 'final', 'eager', 'end'],
    ]);
  });

  test('does not come by silence where the user says when', () => {
    const manual: HearingSettings = { ...DYNAMIC, turnDetection: 'manual' };
    const heard = scene(1_000, 2_000, 9_000, 1_000, 9_000);
    const { events, hearing } = listen(START, heard, { settings: manual, judge: judge(0.95) });
    expect(typesOf(events)).not.toContain('end');
    expect(typesOf(events)).not.toContain('eager');
    expect(hearing.commit(hearing.position).map((action) => action.do)).toEqual(['end']);
  });

  test.each(['static', 'dynamic', 'manual'] as const)('comes soon after speech without words: %s', (turnDetection) => {
    const nothing: Judge = () => ({ hasWords: false, completeness: 0, soundProbability: undefined });
    const { events } = listen(START, scene(1_000, 160, 2_000), {
      settings: { ...DYNAMIC, turnDetection },
      judge: nothing,
    });
    const [, , sample = 0, decidedSample = 0] = (events.at(-1)?.detail ?? '').split(' ').map(Number);
    expect(typesOf(events)).toEqual(['started', 'stopped', 'final', 'end']);
    expect(ms(decidedSample - sample)).toBeLessThanOrEqual(400);
  });

  test('is told ahead where the silence is fixed, half-way', () => {
    const { events } = listen(START, scene(1_000, 2_000, 2_000), {
      settings: { ...DYNAMIC, turnDetection: 'static' },
      judge: judge(0.1),
    });
    expect(typesOf(events)).toEqual(['started', 'confirmed', 'stopped', 'final', 'eager', 'end']);
  });

  test('follows patience from one moment to the next', () => {
    const { hearing } = listen(START, scene(1_000, 2_000, 800), { settings: DYNAMIC, judge: judge(0.5) });
    expect(hearing.hearing.open).toBe(true);
    hearing.update({ patience: 0 });
    const actions = hearing.step({
      startSample: hearing.position,
      samples: FRAME,
      probability: 0,
      levelDbfs: () => -90,
    });
    expect(actions.map((action) => action.do)).toContain('end');
  });

  test('waits for the longest time where nothing is known, and takes no evidence of another pause', () => {
    const heard = scene(1_000, 2_000, 1_000);
    const { hearing } = listen(START, heard, { settings: DYNAMIC });
    const { pause } = hearing;
    expect(pause).toMatchObject({ utterance: 1 });
    const evidence = judge(0.95)('x');
    expect(hearing.weigh({ utterance: 1, lastSpeechSample: 1 }, evidence)).toEqual([]);
    expect(hearing.weigh({ utterance: 2, lastSpeechSample: pause?.lastSpeechSample ?? 0 }, evidence)).toEqual([]);
    expect(hearing.hearing.open).toBe(true);
    // Late, but not too late: the wait is over.
    expect(pause && hearing.weigh(pause, evidence).map((action) => action.do)).toEqual(['end']);
  });

  test('comes at the next cut or pause when the turn has grown too long', () => {
    const settings = { ...DYNAMIC, maxTurnMs: 10_000 };
    const { events } = listen(START, scene(500, 24_000, 2_000), { settings, judge: judge(0.9) });
    const ends = events.filter(({ type }) => type === 'end').map(({ detail }) => Number(detail.split(' ')[3]));
    const starts = events.filter(({ type }) => type === 'started').map(({ detail }) => Number(detail.split(' ')[1]));
    expect(ends.length).toBeGreaterThanOrEqual(2);
    ends.slice(0, -1).forEach((end, index) => {
      expect(ms(end - (starts[index] ?? 0))).toBeGreaterThanOrEqual(10_000);
      expect(ms(end - (starts[index] ?? 0))).toBeLessThanOrEqual(15_200);
    });
    const pausing = listen(START, scene(500, 3_000, 300, 3_000, 300, 4_500, 1_200, 500), {
      settings,
      judge: judge(0.3),
    });
    expect(typesOf(pausing.events).filter((type) => type === 'end')).toHaveLength(1);
  });

  test("learns the speaker's pauses, and keeps them from turn to turn", () => {
    const { durable } = listen(START, scene(1_000, 1_000, 900, 1_000, 900, 1_000, 2_500), {
      settings: DYNAMIC,
      judge: judge(0.1),
    });
    expect(durable.hearing.open).toBe(false);
    expect(durable.hearing.ownPauseMs).toBeGreaterThan(USUAL_PAUSE_MS + 50);
    expect(durable.hearing.ownPauseMs).toBeLessThan(900);
    const cutOff = listen(START, scene(1_000, 1_000, 1_000, 1_000, 2_500), { settings: DYNAMIC, judge: judge(0.95) });
    expect(typesOf(cutOff.events).filter((type) => type === 'end')).toHaveLength(2);
    expect(cutOff.durable.hearing.ownPauseMs).toBeGreaterThan(USUAL_PAUSE_MS + 50);
  });

  test('learns how far the sound of this speaker can be trusted, once it is known which pauses were ends', () => {
    const pauses = scene(1_000, 1_000, 900, 1_000, 900, 1_000, 3_000, 1_000, 3_000);
    const sounding = (probability: number) => () => ({
      ...{ hasWords: true, completeness: 0.1, soundProbability: probability },
    });
    const trustIn = (probability: number) => {
      const { durable } = listen(START, pauses, { settings: DYNAMIC, judge: sounding(probability) });
      // Nothing is learnt of the last pause: speech has not gone on, but may.
      expect(durable.hearing.pauseSound).toBe(probability);
      return durable.hearing.soundTrust ?? Number.NaN;
    };
    // Two pauses were inside, one was the end.
    expect(trustIn(0.1)).toBeCloseTo(2 * Math.log(1.8) + Math.log(0.2), 1);
    expect(trustIn(0.5)).toBeCloseTo(0, 1);
    expect(trustIn(0.9)).toBeLessThan(-2);
  });
});

describe('a pause that is judged by its words at first', () => {
  const words = (completeness: number) => ({ hasWords: true, completeness, soundProbability: undefined });

  /** A pause of which nothing is known yet, and what happens while it lasts. */
  function pausing(settings: HearingSettings = DYNAMIC) {
    const { hearing } = listen(START, scene(1_024, 2_048, 160), { settings });
    const { pause } = hearing;
    if (pause === undefined) throw new Error('no pause');
    const happened: { what: HearingAction['do']; afterMs: number }[] = [];
    const note = (actions: readonly HearingAction[], position: number): void => {
      const afterMs = ms(position - pause.lastSpeechSample);
      happened.push(...actions.map((action) => ({ what: action.do, afterMs })));
    };
    const weigh = (evidence: PauseEvidence): void => {
      const { position } = hearing;
      note(hearing.weigh(pause, evidence), position);
    };
    /** Silence up to so many milliseconds after the speech. */
    const rest = (toMs: number): void => {
      while (ms(hearing.position - pause.lastSpeechSample) < toMs) {
        const startSample = hearing.position;
        const frame = { startSample, samples: FRAME, probability: 0.02, levelDbfs: () => -80 };
        note(hearing.step(frame), startSample + FRAME);
        if (!hearing.hearing.open) return;
      }
    };
    const endMs = (): number | undefined => happened.find(({ what }) => what === 'end')?.afterMs;
    return { hearing, weigh, rest, endMs, types: () => happened.map(({ what }) => what) };
  }

  const judgedOnce = (evidence: PauseEvidence): number => {
    const { weigh, rest, endMs } = pausing();
    weigh(evidence);
    rest(2_000);
    return endMs() ?? Number.NaN;
  };

  test('is told to be a plausible end by them, and ends later when its sound says that it is none', () => {
    const { weigh, rest, endMs, types } = pausing();
    weigh({ ...words(0.85), isSoundDue: true });
    rest(224);
    expect(types()).toEqual(['eager']);
    weigh({ ...words(0.85), soundProbability: 0.05 });
    rest(2_000);
    // Only speech takes a plausible end back.
    expect(types()).toEqual(['eager', 'end']);
    expect(endMs()).toBe(judgedOnce({ ...words(0.85), soundProbability: 0.05 }));
    expect(endMs()).toBeGreaterThan(judgedOnce(words(0.85)) + 200);
  });

  test('ends sooner when its sound says that it is one, however late it says so', () => {
    const { weigh, rest, endMs } = pausing();
    weigh(words(0.5));
    rest(900);
    weigh({ ...words(0.5), soundProbability: 0.95 });
    rest(2_000);
    expect(judgedOnce({ ...words(0.5), soundProbability: 0.95 })).toBeLessThan(900);
    expect(endMs()).toBe(928);
    expect(endMs()).toBeLessThan(judgedOnce(words(0.5)));
  });

  test('does not end as long as its sound is about to be known, nor any later', () => {
    const { weigh, rest, endMs } = pausing();
    weigh({ ...words(0.95), isSoundDue: true });
    rest(500);
    expect(endMs()).toBeUndefined();
    weigh({ ...words(0.95), soundProbability: 0.9 });
    expect(endMs()).toBe(512);
  });

  test('ends by its words when its sound is waited for no longer', () => {
    const { weigh, rest, endMs } = pausing();
    weigh({ ...words(0.95), isSoundDue: true });
    rest(400);
    expect(endMs()).toBeUndefined();
    weigh(words(0.95));
    expect(endMs()).toBe(416);
  });

  test.each([
    ['there is no word', DYNAMIC, { ...words(0), hasWords: false }],
    ['the silence is fixed', { ...DYNAMIC, turnDetection: 'static', silenceMs: 300 }, words(0.1)],
  ] as const)('does not wait for its sound where %s', (_, settings, evidence) => {
    const { weigh, rest, endMs } = pausing(settings);
    weigh({ ...evidence, isSoundDue: true });
    rest(1_000);
    expect(endMs()).toBe(320);
  });

  test('teaches how far the sound can be trusted, also where that was late', () => {
    const { hearing, weigh, rest } = pausing();
    weigh(words(0.1));
    rest(600);
    expect(hearing.hearing.pauseSound).toBeUndefined();
    weigh({ ...words(0.1), soundProbability: 0.1 });
    expect(hearing.hearing.pauseSound).toBe(0.1);
    for (let frames = 0; frames < 10; frames++) {
      const frame = { startSample: hearing.position, samples: FRAME, probability: 0.9, levelDbfs: () => -20 };
      hearing.step(frame);
    }
    expect(hearing.hearing.soundTrust).toBeCloseTo(Math.log(1.8), 1);
  });

  test('learns nothing of an answer that comes when it is over', () => {
    const { hearing, weigh, rest, endMs } = pausing();
    weigh(words(0.95));
    rest(1_000);
    expect(endMs()).toBeLessThan(300);
    weigh({ ...words(0.95), soundProbability: 0.1 });
    expect(hearing.hearing.pauseSound).toBeUndefined();
  });
});
