import { createHash } from 'node:crypto';
import type OpenAI from 'openai';
import type { Health } from '../../health.ts';

/** Weight of the newest reply in the smoothed latency. */
const NEWEST_WEIGHT = 0.3;
/** A latency older than this says nothing any more, and the endpoint gets its sessions back to be measured anew. */
const MEASURED_FOR_MS = 30_000;
/** An endpoint is slow from so many times the best one's latency, and so many milliseconds more, on. */
const SLOW_FACTOR = 2;
const SLOW_MARGIN_MS = 200;

export interface EndpointParts {
  readonly url: string;
  readonly client: OpenAI;
  readonly health: Health;
}

/** One server of several that serve the same model. */
export class Endpoint {
  readonly url: string;
  readonly client: OpenAI;
  readonly health: Health;
  /** The model to ask for, once known. */
  model: string | undefined;
  #latencyMs = 0;
  #measuredAtMs = Number.NEGATIVE_INFINITY;

  constructor({ url, client, health }: EndpointParts) {
    this.url = url;
    this.client = client;
    this.health = health;
  }

  /** Takes the time to the first token of a reply into account. */
  measured(firstTokenMs: number, nowMs: number): void {
    const known = this.latencyMs(nowMs);
    this.#latencyMs = known === undefined ? firstTokenMs : known + (firstTokenMs - known) * NEWEST_WEIGHT;
    this.#measuredAtMs = nowMs;
  }

  /** Smoothed time to the first token; undefined where it has not been measured lately. */
  latencyMs(nowMs: number): number | undefined {
    return nowMs - this.#measuredAtMs > MEASURED_FOR_MS ? undefined : this.#latencyMs;
  }
}

/**
 * The order in which endpoints are to be tried for a session. Healthy ones of usual latency come first, by rendezvous
 * hashing: every worker finds the same one for the same session, whose earlier turns are in its cache, and the loss of
 * one moves only its own sessions. Then come the slow, then the sick.
 */
export function endpointsFor(
  endpoints: readonly Endpoint[],
  session: string | undefined,
  nowMs: number,
): readonly Endpoint[] {
  if (endpoints.length === 1) return endpoints;
  const latencyOf = (endpoint: Endpoint): number => endpoint.latencyMs(nowMs) ?? 0;
  const known = endpoints.flatMap((endpoint) => (endpoint.health.isHealthy ? (endpoint.latencyMs(nowMs) ?? []) : []));
  const slowFromMs = Math.min(...known) * SLOW_FACTOR + SLOW_MARGIN_MS;
  const rankOf = (endpoint: Endpoint): number =>
    !endpoint.health.isHealthy ? 2 : latencyOf(endpoint) > slowFromMs ? 1 : 0;
  const scores = new Map(endpoints.map((endpoint) => [endpoint, scoreOf(session ?? '', endpoint.url)]));
  return endpoints.toSorted((a, b) => {
    const byRank = rankOf(a) - rankOf(b);
    if (byRank !== 0) return byRank;
    const byLatency = latencyOf(a) - latencyOf(b);
    if ((session === undefined || rankOf(a) === 1) && byLatency !== 0) return byLatency;
    return (scores.get(b) ?? 0) - (scores.get(a) ?? 0);
  });
}

const scoreOf = (session: string, url: string): number =>
  createHash('sha256').update(`${session}\n${url}`).digest().readUInt32BE();
