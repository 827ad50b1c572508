import { describe, expect, it } from 'vitest';
import { noDecisions } from './index.ts';
import { Machine, PHASES } from './machine-fixture.ts';

const NO_TURN = { events: [], history: [], work: { create: [] } };

describe('the lease of a listener', () => {
  it('follows who acquired it', () => {
    const machine = new Machine();
    machine.fold({ type: 'lease.moved', fence: 'f1', worker: 'w1' });
    expect(machine.state.listener.fence).toBe('f1');
  });

  it('is offered anew at the will of its holder, and of nobody else', () => {
    const machine = new Machine();
    machine.fold({ type: 'lease.moved', fence: 'f1', worker: 'w1' });
    expect(machine.fold({ type: 'lease.offered', fence: 'f1' }).commands).toMatchObject([
      { queue: 'listen', number: 2, expect: 'f1' },
    ]);
    machine.fold({ type: 'lease.moved', fence: 'f2', worker: 'w2' });
    expect(machine.fold({ type: 'lease.offered', fence: 'f1' })).toEqual(noDecisions());
  });

  it.each(['silent', 'unclaimed'] as const)('is offered anew where its holder is %s', (reason) => {
    const machine = new Machine();
    machine.fold({ type: 'lease.moved', fence: 'f1', worker: 'w1' });
    expect(machine.loseListener(reason).commands).toMatchObject([{ queue: 'listen', number: 2, expect: 'f1' }]);
    expect(machine.state.listener.deaths).toBe(reason === 'silent' ? 1 : 0);
  });

  it('is not touched by a verdict on a listener that was replaced', () => {
    const machine = new Machine();
    machine.fold({ type: 'lease.moved', fence: 'f2', worker: 'w2' });
    const lost = { type: 'holder.lost', stage: 'listen', holder: 'f1', try: 1, reason: 'silent' } as const;
    expect(machine.fold(lost)).toEqual(noDecisions());
  });

  it('that nobody can take is told once, and again after somebody had it', () => {
    const machine = new Machine();
    const failure = { type: 'stage.failed', stage: 'listen', code: 'no_worker', retryable: true };
    expect(machine.loseListener('no_worker').events).toMatchObject([failure]);
    expect(machine.loseListener('no_worker')).toEqual(noDecisions());
    machine.fold({ type: 'lease.moved', fence: 'f1', worker: 'w1' });
    expect(machine.loseListener('no_worker').events).toMatchObject([failure]);
  });

  it('that is handed back is offered without a word, one that failed with an error to the client', () => {
    const machine = new Machine();
    const failed = { type: 'work.failed', stage: 'listen', code: 'going_away', retryable: true } as const;
    expect(machine.fold({ ...failed, handedBack: true })).toMatchObject({
      events: [],
      commands: [{ queue: 'listen' }],
    });
    expect(machine.fold({ ...failed, code: 'engine_failed', utterance: 3 })).toMatchObject({
      events: [{ type: 'stage.failed', stage: 'listen', utterance: 3, code: 'engine_failed' }],
      commands: [{ queue: 'listen' }],
    });
  });
});

describe('audio on which the engine fails', () => {
  const failed = {
    type: 'work.failed',
    stage: 'listen',
    code: 'engine_failed',
    retryable: true,
    utterance: 1,
  } as const;

  it('is offered at once the first time, then at the pace of the watch, and passed over in the end', () => {
    const machine = new Machine();
    machine.startSpeech(1);
    expect(machine.fold(failed).commands).toHaveLength(1);
    for (const passed of [false, true]) {
      expect(machine.fold(failed)).toMatchObject({ commands: [], events: [{ type: 'stage.failed', utterance: 1 }] });
      const verdict = machine.loseListener('silent', 0, 900);
      expect(verdict.commands).toHaveLength(1);
      expect(verdict.skipTo !== undefined).toBe(passed);
    }
    expect(machine.fold(failed).commands).toHaveLength(1);
  });

  it('is offered at once again after progress', () => {
    const machine = new Machine();
    machine.fold(failed);
    machine.endTurn(1, '');
    expect(machine.fold(failed).commands).toHaveLength(1);
  });
});

describe('audio on which listeners die', () => {
  it('is passed over after the third, and the client is told', () => {
    const machine = new Machine();
    machine.startSpeech(4);
    expect(machine.loseListener('silent', 0, 900).skipTo).toBeUndefined();
    expect(machine.loseListener('silent', 0, 900).skipTo).toBeUndefined();
    const decided = machine.loseListener('silent', 0, 900);
    expect(decided.skipTo).toMatchObject({ audioCursor: 900, hearing: { utterance: 5, open: false, text: '' } });
    expect(decided.events).toMatchObject([
      { type: 'stage.failed', stage: 'listen', utterance: 4, code: 'poisoned_input', retryable: false },
    ]);
    expect(decided.commands).toMatchObject([{ queue: 'listen' }]);
    expect(machine.state.utterance).toBeNull();
    expect(machine.state.listener.deaths).toBe(0);
  });

  it.each([
    ['a moved cursor', (m: Machine) => void m.loseListener('silent', 640, 900)],
    [
      'settled text',
      (m: Machine) => void m.fold({ type: 'transcript.final', utterance: 1, text: 'a', fromSample: 0, toSample: 9 }),
    ],
    ['the end of a turn', (m: Machine) => void m.endTurn(1, '')],
  ])('is not given up where there was progress by %s', (_by, progress) => {
    const machine = new Machine();
    machine.loseListener('silent', 0, 900);
    machine.loseListener('silent', 0, 900);
    progress(machine);
    expect(machine.loseListener('silent', 640, 900).skipTo).toBeUndefined();
    expect(machine.state.listener.deaths).toBeLessThan(3);
  });

  it('is not given up for offers that nobody took', () => {
    const machine = new Machine();
    for (let i = 0; i < 10; i += 1) expect(machine.loseListener('unclaimed').skipTo).toBeUndefined();
    expect(machine.state.listener.offers).toBe(11);
  });

  it('lets a reply that was ducked for it be heard again', () => {
    const machine = PHASES.speaking();
    machine.startSpeech(2);
    machine.loseListener('silent');
    machine.loseListener('silent');
    expect(machine.loseListener('silent').effects).toEqual([{ kind: 'restore' }]);
  });
});

describe('speech', () => {
  it('of an utterance that is not open changes nothing', () => {
    const machine = PHASES.thinking();
    const { reply } = machine.state;
    expect(machine.confirmSpeech(7)).toEqual(noDecisions());
    expect(machine.stopSpeech(7)).toEqual(noDecisions());
    expect(machine.state).toMatchObject({ reply, utterance: null });
  });

  it('may begin again within its utterance', () => {
    const machine = new Machine();
    machine.startSpeech(1);
    machine.confirmSpeech(1);
    machine.stopSpeech(1);
    expect(machine.state.utterance).toMatchObject({ number: 1, turn: 1, speaking: false, confirmed: true });
    machine.startSpeech(1);
    expect(machine.state.utterance).toMatchObject({ number: 1, turn: 1, speaking: true });
  });

  it('that ends without words, with no reply to bring back, leaves no trace', () => {
    const machine = PHASES.hearing();
    expect(machine.endTurn(1, ' \n')).toMatchObject(NO_TURN);
    expect(machine.phase).toBe('idle');
    machine.say(2, 'hello');
    expect(machine.state.reply).toMatchObject({ turn: 1 });
  });

  it('that ends without having begun is taken all the same', () => {
    const machine = new Machine();
    machine.endTurn(1, 'hello');
    expect(machine.state.reply).toMatchObject({ turn: 1, text: 'hello' });
  });
});

describe('typed text', () => {
  it('is a turn like any other', () => {
    const machine = new Machine();
    expect(machine.fold({ type: 'input.text', text: ' hello ' }).history).toEqual([
      { push: { role: 'user', turn: 1, text: 'hello' } },
    ]);
  });

  it('without any letter is not, and interrupts nothing', () => {
    const machine = PHASES.speaking();
    expect(machine.fold({ type: 'input.text', text: ' \n ' })).toEqual(noDecisions());
    expect(machine.phase).toBe('speaking');
  });

  it('while speech goes on is answered, and what is said then belongs to the same turn', () => {
    const machine = PHASES.hearing();
    machine.fold({ type: 'input.text', text: 'hello' });
    expect(machine.state.utterance).toMatchObject({ number: 1, speaking: true });
    machine.endTurn(1, 'and good evening');
    expect(machine.state.reply).toMatchObject({ turn: 1, attempt: 1, text: 'hello and good evening' });
  });

  it('leaves a re-opened turn as it was said', () => {
    const machine = PHASES.thinking();
    machine.startSpeech(2);
    machine.confirmSpeech(2);
    const decided = machine.fold({ type: 'input.text', text: 'hello' });
    expect(decided.history).toEqual([{ push: { role: 'user', turn: 2, text: 'hello' } }]);
    expect(machine.state.reply).toMatchObject({ turn: 2, attempt: 0, text: 'hello' });
  });
});
