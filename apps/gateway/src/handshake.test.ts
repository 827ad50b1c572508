import { encodeKeySubprotocol } from '@parley/protocol';
import { describe, expect, it } from 'vitest';
import { authenticate, type HandshakeRequest, isAccepted, shownKey } from './handshake.ts';

const request = (shown: Partial<{ authorization: string; subprotocols: string; query: string }>): HandshakeRequest => ({
  authorization: shown.authorization ?? '',
  subprotocols: shown.subprotocols ?? '',
  query: new URLSearchParams(shown.query ?? ''),
});

describe('the key a client shows', () => {
  it.each([
    ['a header', { authorization: 'Bearer sk-1' }, 'sk-1'],
    ['a header in another case', { authorization: 'bearer sk-1' }, 'sk-1'],
    ['a Token header', { authorization: 'Token sk-1' }, 'sk-1'],
    ['a subprotocol', { subprotocols: `parley.v1, ${encodeKeySubprotocol('sk-1')}` }, 'sk-1'],
    ['a subprotocol alone', { subprotocols: encodeKeySubprotocol('schlüssel 🔑') }, 'schlüssel 🔑'],
    ['the address', { query: 'key=sk-1' }, 'sk-1'],
    ['the header before the others', { authorization: 'Bearer a', query: 'key=b' }, 'a'],
    ['nothing', {}, undefined],
    ['a header without a key', { authorization: 'Bearer ' }, undefined],
    ['a header with more than a key', { authorization: 'Bearer a b' }, undefined],
    ['another scheme', { authorization: 'Basic YTpi' }, undefined],
    ['other subprotocols', { subprotocols: 'parley.v1, graphql-ws' }, undefined],
  ] as const)('by %s', (_by, shown, key) => {
    expect(shownKey(request(shown))).toBe(key);
  });
});

describe('a key', () => {
  it('is accepted if it is one of those that are', () => {
    expect(isAccepted('b', ['a', 'b', 'c'])).toBe(true);
    expect(isAccepted('d', ['a', 'b', 'c'])).toBe(false);
    expect(isAccepted('', ['a'])).toBe(false);
    expect(isAccepted('a', [])).toBe(false);
    expect(isAccepted('a'.repeat(100_000), ['a'])).toBe(false);
  });

  it('is not asked for where none is configured', () => {
    expect(authenticate(request({}), [])).toBe('');
    expect(authenticate(request({ authorization: 'Bearer x' }), [])).toBe('');
  });

  it('binds what it opens by its hash, not by itself', () => {
    const bound = authenticate(request({ authorization: 'Bearer sk-1' }), ['sk-1', 'sk-2']);
    expect(bound).toMatch(/^[\w-]{43}$/);
    expect(authenticate(request({ query: 'key=sk-1' }), ['sk-1'])).toBe(bound);
    expect(authenticate(request({ query: 'key=sk-2' }), ['sk-1', 'sk-2'])).not.toBe(bound);
  });

  it('that is missing or wrong opens nothing', () => {
    expect(authenticate(request({}), ['sk-1'])).toMatchObject({ code: 'unauthorized' });
    expect(authenticate(request({ query: 'key=sk-2' }), ['sk-1'])).toMatchObject({ code: 'unauthorized' });
    expect(authenticate(request({ subprotocols: 'parley.key.%%%' }), ['sk-1'])).toMatchObject({ code: 'unauthorized' });
  });
});
