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

/** Values of a gauge with labels. */
export type LabelledValues<Label extends string> = readonly {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}[];

type GaugeValues<Label extends string> = number | LabelledValues<Label>;

interface GaugeOptions<Label extends string> extends MetricOptions<Label> {
  readonly collect?: () => GaugeValues<Label> | Promise<GaugeValues<Label>>;
}

/** The metrics of one process. */
export interface Metrics {
  counter<Label extends string = string>(options: MetricOptions<Label>): Counter<Label>;
  /** A gauge that is set, or with `collect` one that is read when somebody asks; one with labels answers all its values. */
  gauge<Label extends string = string>(options: GaugeOptions<Label>): Gauge<Label>;
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
    gauge<Label extends string>(options: GaugeOptions<Label>) {
      const { name, help, labelNames = [], collect } = options;
      const configuration: GaugeConfiguration<Label> = { name, help, labelNames: [...labelNames], registers };
      if (collect) {
        configuration.collect = async function (this: Gauge<Label>) {
          const values = await collect();
          if (typeof values === 'number') return this.set(values);
          // What is not answered any more is not shown any more.
          this.reset();
          for (const { labels, value } of values) this.set({ ...labels }, value);
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
