import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, waitUntil } from '@parley/testkit';

/** Whether this machine has a Prometheus (Debian: `apt-get install prometheus`). */
export const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;

interface RangeAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly values: readonly (readonly [number, string])[] }[] };
}

/** A real Prometheus that scrapes every second. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  /** Starts it on targets by job: URLs of `/metrics`. */
  static async start(targets: Readonly<Record<string, readonly string[]>>): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'parley-prometheus-'));
    const port = await freePort();
    const jobs = Object.entries(targets).map(([job, urls]) => ({
      job_name: job,
      static_configs: [{ targets: urls.map((url) => new URL(url).host) }],
    }));
    // JSON is YAML.
    const config = { global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: jobs };
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--storage.tsdb.retention.time=1h',
        '--log.level=warn',
      ],
      { stdio: 'ignore' },
    );
    const prometheus = new Prometheus(child, folder, `http://127.0.0.1:${port}`);
    const isReady = () =>
      fetch(`${prometheus.#url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await waitUntil(isReady, 20_000, 'Prometheus did not start');
    return prometheus;
  }

  /** Points of a query over the last minute, as a dashboard asks; throws for a query that Prometheus does not take. */
  async points(expr: string): Promise<number> {
    const variables: Readonly<Record<string, string>> = { __rate_interval: '10s' };
    const query = expr.replace(/\$(\w+)/g, (whole, name: string) => variables[name] ?? whole);
    const now = Date.now() / 1_000;
    const range = new URLSearchParams({ query, start: String(now - 60), end: String(now), step: '2' });
    const response = await fetch(`${this.#url}/api/v1/query_range?${range}`);
    const answer = (await response.json()) as RangeAnswer;
    if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`);
    const values = answer.data?.result.flatMap((series) => series.values) ?? [];
    return values.filter(([, value]) => value !== 'NaN').length;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
