import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

/** Buckets for waits that a person notices, in seconds: fine below a second, where the targets are. */
export const LATENCY_BUCKETS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 1, 1.5, 2.5, 5, 10,
];

interface MetricOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly Label[];
}

/** The metrics of one process. */
export interface Metrics {
  counter<Label extends string = string>(options: MetricOptions<Label>): Counter<Label>;
  /** A gauge that is set, or with `collect` one that is read when somebody asks. */
  gauge<Label extends string = string>(
    options: MetricOptions<Label> & { readonly collect?: () => number | Promise<number> },
  ): Gauge<Label>;
  /** `LATENCY_BUCKETS_SECONDS` unless other buckets are given. */
  histogram<Label extends string = string>(
    options: MetricOptions<Label> & { readonly buckets?: readonly number[] },
  ): Histogram<Label>;
  /** The Prometheus text form, for `contentType`. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** A registry of its own, with the usual metrics of a Node process. */
export function createMetrics({ processMetrics = true }: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    counter<Label extends string>({ name, help, labelNames = [] }: MetricOptions<Label>) {
      const configuration: CounterConfiguration<Label> = { name, help, labelNames: [...labelNames], registers };
      return new Counter(configuration);
    },
    gauge<Label extends string>(options: MetricOptions<Label> & { readonly collect?: () => number | Promise<number> }) {
      const { name, help, labelNames = [], collect } = options;
      const configuration: GaugeConfiguration<Label> = { name, help, labelNames: [...labelNames], registers };
      if (collect) {
        configuration.collect = async function (this: Gauge<Label>) {
          this.set(await collect());
        };
      }
      return new Gauge(configuration);
    },
    histogram<Label extends string>(options: MetricOptions<Label> & { readonly buckets?: readonly number[] }) {
      const { name, help, labelNames = [], buckets = LATENCY_BUCKETS_SECONDS } = options;
      const configuration: HistogramConfiguration<Label> = {
        name,
        help,
        labelNames: [...labelNames],
        buckets: [...buckets],
        registers,
      };
      return new Histogram(configuration);
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
