import {
  type Attributes,
  type Context,
  context,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';

export type { Attributes } from '@opentelemetry/api';

export interface TracingOptions {
  readonly service: string;
  /** Tells processes of one service apart. */
  readonly instance: string;
  /** Base URL of an OTLP/HTTP collector. Without it spans are not recorded, yet their context still travels. */
  readonly endpoint?: string | undefined;
}

export interface Tracing {
  readonly exporting: boolean;
  /** Sends what is buffered and lets go of the process-wide tracer. */
  shutdown(): Promise<void>;
}

const SCOPE = 'parley';

/** Random ids, but for a span that takes an identity given out before it was recorded. */
class SpanIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #given: SpanContext | undefined;

  generateTraceId(): string {
    return this.#given?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#given?.spanId ?? this.#random.generateSpanId();
  }

  /** Runs `fn`, whose span gets this identity. */
  as<T>(given: SpanContext | undefined, fn: () => T): T {
    this.#given = given;
    try {
      return fn();
    } finally {
      this.#given = undefined;
    }
  }
}

const ids = new SpanIds();

/** Sets up tracing for this process, once. */
export function startTracing({ service, instance, endpoint }: TracingOptions): Tracing {
  const resource = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: service,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
  });
  const exporter = endpoint && new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` });
  // The off sampler still gives every span a valid identity, so a collector that is switched on in one process only sees
  // whole traces of that process, and clients can correlate by id in any case.
  const provider = new TracerProvider(
    exporter
      ? {
          resource,
          idGenerator: ids,
          sampler: new ParentBasedSampler({
            root: new AlwaysOnSampler(),
            // "Not sampled" by a process that exports nothing is no decision about ours.
            remoteParentNotSampled: new AlwaysOnSampler(),
          }),
          spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 })],
        }
      : { resource, sampler: new AlwaysOffSampler() },
  );
  const contextManager = new AsyncLocalStorageContextManager();
  contextManager.enable();
  context.setGlobalContextManager(contextManager);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return {
    exporting: exporter !== undefined,
    async shutdown() {
      trace.disable();
      propagation.disable();
      context.disable();
      await provider.shutdown();
    },
  };
}

/** The `traceparent` of what runs now, to be put into a job or an event; undefined outside of any span. */
export function inject(): string | undefined {
  return traceparentOf(context.active());
}

/** A context under the given `traceparent`; the root context when there is none or it is malformed. */
export function extract(traceparent?: string): Context {
  return traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, { traceparent });
}

function traceparentOf(active: Context): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(active, carrier);
  return carrier.traceparent;
}

export interface SpanOptions {
  /** `traceparent` of the span that caused this one, from a job or an event; the active span when not given. */
  readonly parent?: string | undefined;
  readonly attributes?: Attributes;
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** `traceparent`s of related work that is not the parent. */
  readonly links?: readonly string[];
  /** `traceparent` from `newTrace`: the span is the root of that trace. */
  readonly root?: string | undefined;
  /** Start of the span, in milliseconds since 1970; now when not given. */
  readonly startMs?: number;
}

/**
 * The `traceparent` of a trace that begins here and whose root span is recorded later, with `root`, perhaps by another
 * process: spans can be put under it at once. Undefined where tracing was not started.
 */
export function newTrace(): string | undefined {
  const span = trace.getTracer(SCOPE).startSpan('root', {}, ROOT_CONTEXT);
  return traceparentOf(trace.setSpan(ROOT_CONTEXT, span));
}

/** A piece of work in a trace. */
export class TraceSpan {
  readonly #span: Span;
  readonly #context: Context;
  /** What other processes need to continue this span; undefined where tracing was not started. */
  readonly traceparent: string | undefined;

  constructor(span: Span, parent: Context) {
    this.#span = span;
    this.#context = trace.setSpan(parent, span);
    this.traceparent = traceparentOf(this.#context);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  event(name: string, attributes: Attributes = {}, atMs?: number): void {
    this.#span.addEvent(name, attributes, atMs);
  }

  /** Marks the span as failed. Takes the error's name only: messages may quote what a person said. */
  fail(error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    this.#span.setAttribute('error.type', errorCode(error) ?? name);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: errorCode(error) ?? name });
  }

  /** Runs `fn` with this span active, so that `inject()` and further spans within are its children. */
  run<T>(fn: () => T): T {
    return context.with(this.#context, fn);
  }

  /** Ends it now, or at a time in milliseconds since 1970. */
  end(atMs?: number): void {
    this.#span.end(atMs);
  }
}

function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Begins a span that the caller ends. */
export function startSpan(name: string, options: SpanOptions = {}): TraceSpan {
  const root = options.root === undefined ? undefined : trace.getSpanContext(extract(options.root));
  const parent = root ? ROOT_CONTEXT : options.parent === undefined ? context.active() : extract(options.parent);
  const links: Link[] = [];
  for (const link of options.links ?? []) {
    const linked = trace.getSpanContext(extract(link));
    if (linked) links.push({ context: linked });
  }
  const span = ids.as(root, () =>
    trace.getTracer(SCOPE).startSpan(
      name,
      {
        kind: KINDS[options.kind ?? 'internal'],
        attributes: options.attributes ?? {},
        links,
        ...(options.startMs === undefined ? {} : { startTime: options.startMs }),
      },
      parent,
    ),
  );
  return new TraceSpan(span, parent);
}

/** Records a span that is over already. */
export function recordSpan(name: string, options: SpanOptions & { readonly startMs: number }, endMs: number): void {
  startSpan(name, options).end(Math.max(endMs, options.startMs));
}

/** Runs `fn` inside a span, and ends it with `fn`; a throw marks it as failed. */
export async function withSpan<T>(
  name: string,
  options: SpanOptions,
  fn: (span: TraceSpan) => T | Promise<T>,
): Promise<T> {
  const span = startSpan(name, options);
  try {
    return await span.run(() => fn(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}
