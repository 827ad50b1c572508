import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKeepAliveFetch, createLeanFetch, type KeepAliveFetch } from './keep-alive-fetch.ts';

const KINDS = [
  ['the fetch that keeps connections', createKeepAliveFetch],
  ['the lean fetch', createLeanFetch],
] as const;

describe.each(KINDS)('%s', (_, create) => {
  let server: Server;
  let url: string;
  let sockets: number;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let connections: KeepAliveFetch;

  beforeEach(async () => {
    sockets = 0;
    server = createServer((request, response) => answer(request, response));
    server.on('connection', () => {
      sockets += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    connections = create();
  });
  afterEach(async () => {
    await connections.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('sends method, headers and body, and answers status, headers and body', async () => {
    answer = (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        response.writeHead(418, { 'content-type': 'application/json', 'x-two': ['a', 'b'] });
        response.end(JSON.stringify({ method: request.method, type: request.headers['x-type'], body }));
      });
    };
    const response = await connections.fetch(url, { method: 'POST', headers: { 'X-Type': 't' }, body: 'hello' });
    expect(response.status).toBe(418);
    expect(response.ok).toBe(false);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('x-two')).toBe('a, b');
    expect(await response.json()).toEqual({ method: 'POST', type: 't', body: 'hello' });
  });

  it('asks again and again over the same connections', async () => {
    answer = (_request, response) => response.end('yes');
    for (let round = 0; round < 20; round += 1) expect(await (await connections.fetch(url)).text()).toBe('yes');
    // A second one where the first was still being freed when the next request came.
    expect(sockets).toBeLessThanOrEqual(2);
  });

  it('asks once more where a kept connection was closed in that moment', async () => {
    answer = (_request, response) => response.end('yes');
    await (await connections.fetch(url)).text();
    let asked = 0;
    answer = (request, response) => {
      asked += 1;
      if (asked === 1) request.socket.destroy();
      else response.end('again');
    };
    expect(await (await connections.fetch(url)).text()).toBe('again');
  });

  it('closes the connection of a request that is given up, before and in the middle of its answer', async () => {
    let closed = 0;
    answer = (request, response) => {
      request.socket.on('close', () => {
        closed += 1;
      });
      if (request.url === '/begun') response.write('begun');
    };
    const never = new AbortController();
    const asking = connections.fetch(url, { signal: never.signal });
    setTimeout(() => never.abort(new Error('given up')), 20);
    await expect(asking).rejects.toThrow();
    await expect.poll(() => closed).toBe(1);

    const midway = new AbortController();
    const response = await connections.fetch(`${url}begun`, { signal: midway.signal });
    const reading = (async () => {
      for await (const _ of response.body ?? []) midway.abort(new Error('given up'));
    })();
    await expect(reading).rejects.toThrow();
    await expect.poll(() => closed).toBe(2);
  });

  it('lets nobody suffer from a body that is not read', async () => {
    let closed = 0;
    answer = (request, response) => {
      request.socket.on('close', () => {
        closed += 1;
      });
      response.write('much');
    };
    const response = await connections.fetch(url);
    await response.body?.cancel();
    await expect.poll(() => closed).toBe(1);
  });
});
