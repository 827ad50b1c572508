const LINE = /^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)/;

/** The metrics that a process shows, by name with labels as printed. */
export async function readMetrics(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const metrics = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name !== undefined && !line.startsWith('#')) metrics.set(name, Number(value));
  }
  return metrics;
}
