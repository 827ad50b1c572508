import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  LegendDisplayMode,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** Datasource of every query, chosen in the dashboard. */
const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };
const WIDTH = 8;
const HEIGHT = 8;

interface Query {
  readonly expr: string;
  /** Name of a series, with its labels in double braces. */
  readonly legend: string;
}

export interface PanelPlan {
  readonly title: string;
  /** What it shows, and what to think of it. */
  readonly description: string;
  readonly unit: 's' | 'short' | 'percentunit' | 'cps';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  /** Why it shows nothing while all is well, which its description then says; absent for a panel that always shows something under load. */
  readonly emptyWhenHealthy?: string;
}

/** A panel of lines over time; `id` is its number in the dashboard. */
export function panel(
  id: number,
  { title, description, unit, queries, stacked = false, emptyWhenHealthy }: PanelPlan,
): Builder<Panel> {
  const builder = new PanelBuilder()
    .id(id)
    .title(title)
    .description(
      emptyWhenHealthy === undefined ? description : `${description} Empty while all is well: ${emptyWhenHealthy}.`,
    )
    .unit(unit)
    .min(0)
    .span(WIDTH)
    .height(HEIGHT)
    .datasource(DATASOURCE)
    .lineWidth(1)
    .fillOpacity(stacked ? 40 : 5)
    .legend(new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  if (stacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  for (const [index, { expr, legend }] of queries.entries()) {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    builder.withTarget(
      new DataqueryBuilder().refId(refId).datasource(DATASOURCE).expr(expr).legendFormat(legend).range(),
    );
  }
  return builder;
}

const RATE = '[$__rate_interval]';

/** A quantile of a histogram, over all processes, by some of its labels. */
export function quantile(q: number, histogram: string, ...by: string[]): string {
  return `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (rate(${histogram}_bucket${RATE})))`;
}

/** How much a counter grows in a second, over all processes, by some of its labels. */
export function rate(counter: string, ...by: string[]): string {
  const grouped = by.length === 0 ? 'sum' : `sum by (${by.join(', ')})`;
  return `${grouped} (rate(${counter}${RATE}))`;
}

/** Mean of what a histogram observed, by some of its labels. */
export const mean = (histogram: string, ...by: string[]): string =>
  `${rate(`${histogram}_sum`, ...by)} / ${rate(`${histogram}_count`, ...by)}`;
