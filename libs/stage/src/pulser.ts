import type { Bus } from '@parley/bus';
import {
  LOG_VERSION,
  type Pulse,
  type SessionId,
  type Stage as StageName,
  type WorkRef,
  workKey,
} from '@parley/protocol';
import type { Clock, Metrics } from '@parley/runtime';
import type { ControlWatch } from './control-watch.ts';

/** Well below the 600 ms without a pulse after which an owner replaces a worker. */
const PULSE_INTERVAL_MS = 150;
/** Owners asked for at a time after a reconnect. */
const MAX_OWNER_LOOKUPS = 16;

export interface PulserOptions {
  readonly bus: Pick<Bus, 'process' | 'pulses' | 'registry' | 'onConnection'>;
  readonly stage: StageName;
  readonly control: ControlWatch;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly intervalMs?: number;
}

interface Owned {
  readonly session: SessionId;
  /** Id of the owning gateway, and the epoch of its reign, as answered by `acquire` or `claim`. */
  readonly owner: string;
  readonly epoch: number;
  readonly fence: string;
}

export interface HeldClaim extends Owned {
  readonly ref: WorkRef;
  readonly try: number;
}

export interface HeldLease extends Owned {
  /** The durable audio cursor, and the sample up to which audio has been read: asked for at every pulse. */
  position(): { readonly cursor: number; readonly heard: number };
}

/** Tells owners that this process lives and what it holds. */
export interface Pulser {
  /** Adds a claim, told at once; returns what ends it. */
  holdClaim(claim: HeldClaim): () => void;
  /** Adds a lease, told at once; returns what ends it. */
  holdLease(lease: HeldLease): () => void;
  stop(): void;
}

type Holding = { owner: string; epoch: number } & (
  | { readonly kind: 'claim'; readonly held: HeldClaim }
  | { readonly kind: 'lease'; readonly held: HeldLease }
);

/**
 * Starts the pulse of this process: every 150 ms, and at once when something is taken or changes owner, one message to
 * each gateway for all that is held of its sessions. It runs on the event loop on purpose: a process that is blocked
 * has no pulse. A pulse that cannot be written is not written later either; the next one says the same.
 */
export function startPulse({ bus, stage, control, clock, metrics, intervalMs }: PulserOptions): Pulser {
  const failures = metrics.counter({
    name: 'parley_pulse_failures_total',
    help: 'Pulses that could not be written to Redis.',
  });
  const holdings = new Set<Holding>();
  const urgent = new Set<string>();
  const inFlight = new Set<string>();
  let stopped = false;

  const publish = (owner: string, pulse: Pulse): void => {
    // While Redis does not answer, one pulse per owner waits and the others are left out.
    if (inFlight.has(owner)) return;
    inFlight.add(owner);
    bus.pulses
      .publish(owner, pulse)
      .catch(() => failures.inc())
      .finally(() => inFlight.delete(owner));
  };

  const beat = (only?: ReadonlySet<string>): void => {
    const pulses = new Map<string, Pulse>();
    for (const holding of holdings) {
      if (only !== undefined && !only.has(holding.owner)) continue;
      let pulse = pulses.get(holding.owner);
      if (pulse === undefined) {
        pulse = { v: LOG_VERSION, stage, worker: bus.process, sessions: [], claims: [] };
        pulses.set(holding.owner, pulse);
      }
      addTo(pulse, holding);
    }
    for (const [owner, pulse] of pulses) publish(owner, pulse);
  };

  const beatSoon = (owner: string): void => {
    if (urgent.size === 0) {
      setImmediate(() => {
        const owners = new Set(urgent);
        urgent.clear();
        if (!stopped) beat(owners);
      });
    }
    urgent.add(owner);
  };

  const moveTo = (holding: Holding, owner: string, epoch: number): void => {
    if (epoch <= holding.epoch) return;
    holding.owner = owner;
    holding.epoch = epoch;
    beatSoon(owner);
  };

  const hold = (holding: Holding): (() => void) => {
    const { session } = holding.held;
    const unfollow = control.follow(session, { onOwner: (owner, epoch) => moveTo(holding, owner, epoch) });
    holdings.add(holding);
    const newest = control.newestOwner(session);
    if (newest !== undefined) moveTo(holding, newest.owner, newest.epoch);
    beatSoon(holding.owner);
    return () => {
      unfollow();
      holdings.delete(holding);
    };
  };

  /** Changes of owner are not repeated to a subscriber that was away. */
  const askForOwners = async (): Promise<void> => {
    const pending = [...holdings];
    const ask = async (): Promise<void> => {
      for (let holding = pending.pop(); holding !== undefined; holding = pending.pop()) {
        const found = await bus.registry.inspect(holding.held.session);
        if (found !== undefined) moveTo(holding, found.owner.id, found.epoch);
      }
    };
    await Promise.all(Array.from({ length: MAX_OWNER_LOOKUPS }, ask));
  };
  const stopListening = bus.onConnection((connected) => {
    // If Redis is lost again meanwhile, the next reconnect asks again.
    if (connected) askForOwners().catch(() => undefined);
  });

  let cancelTimer: () => void;
  const tick = (): void => {
    cancelTimer = clock.setTimeout(tick, intervalMs ?? PULSE_INTERVAL_MS);
    beat();
  };
  tick();

  return {
    holdClaim: (held) => hold({ kind: 'claim', held, owner: held.owner, epoch: held.epoch }),
    holdLease: (held) => hold({ kind: 'lease', held, owner: held.owner, epoch: held.epoch }),
    stop() {
      stopped = true;
      cancelTimer();
      stopListening();
    },
  };
}

function addTo(pulse: Pulse, holding: Holding): void {
  const { session, fence } = holding.held;
  if (holding.kind === 'claim') {
    pulse.claims.push({ session, work: workKey(holding.held.ref), try: holding.held.try, fence });
  } else {
    pulse.sessions.push({ session, fence, ...holding.held.position() });
  }
}
