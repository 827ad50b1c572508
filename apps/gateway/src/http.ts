import type { Bus } from '@parley/bus';
import { VoiceError } from '@parley/protocol';
import type { Metrics } from '@parley/runtime';
import { debugSession } from './debug.ts';
import { isAccepted, shownKey } from './handshake.ts';
import type { OwnerRegistry } from './owner-registry.ts';
import { systemReadiness } from './readiness.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from './server.ts';

const DEBUG_PREFIX = '/debug/sessions/';

export interface HttpOptions {
  readonly bus: Bus;
  readonly registry: OwnerRegistry;
  readonly metrics: Metrics;
  readonly operatorKeys: readonly string[];
  readonly draining: () => boolean;
}

/** The gateway's HTTP surface for operators: `/healthz`, `/readyz`, `/metrics`, `/debug/sessions/{id}`. */
export async function answerHttp(request: HttpRequest, options: HttpOptions): Promise<HttpAnswer | undefined> {
  switch (request.path) {
    case '/healthz':
      return jsonAnswer(200, { alive: true });
    case '/readyz': {
      const readiness = await systemReadiness(options.bus, options.registry);
      if (options.draining()) return jsonAnswer(503, { ...readiness, ready: false, reasons: ['draining'] });
      return jsonAnswer(readiness.ready ? 200 : 503, readiness);
    }
    case '/metrics':
      return { status: 200, contentType: options.metrics.contentType, body: await options.metrics.render() };
    default:
      return request.path.startsWith(DEBUG_PREFIX) ? answerDebug(request, options) : undefined;
  }
}

async function answerDebug(request: HttpRequest, { bus, operatorKeys }: HttpOptions): Promise<HttpAnswer> {
  const key = shownKey(request);
  const allowed = request.loopback || (key !== undefined && isAccepted(key, operatorKeys));
  if (!allowed) return jsonAnswer(401, { error: new VoiceError('unauthorized').toWire() });
  try {
    const found = await debugSession(bus, request.path.slice(DEBUG_PREFIX.length));
    return found ? jsonAnswer(200, found) : jsonAnswer(404, { error: new VoiceError('session_unknown').toWire() });
  } catch (error) {
    return jsonAnswer(503, { error: VoiceError.from(error).toWire() });
  }
}
