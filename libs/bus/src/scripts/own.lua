-- Makes the caller the owner of a session, under a new epoch.
--
-- KEYS 1 session hash, 2 in, 3 events, 4 outbox
-- ARGV 1 mode: create, token (a client resumes) or takeover (a gateway by itself)
--      2 owner's id, 3 owner as JSON, 4 hash of the resume token, 5 hash of the API key
--      6 and 7 the session.moved event before and after the epoch, 8 channel of the session
--      9 and 10 the control message before and after the epoch, 11 control channel
--      create only: 12 settings, 13 state, 14 hearing state
-- Refuses EXISTS (create), NOSESSION and TOKEN (token; takeover: NOSESSION)
-- Answers { epoch, id of session.moved, state, eventCursor, settings, generation, listener, fence, audioCursor, hearing,
--           created, previous owner, last end sample of in, outbox as field, value, … }

local mode = ARGV[1]
local at = now_ms()
local previous = redis.call('HMGET', KEYS[1], 'ownerRef', 'tokenHash', 'keyHash')

if mode == 'create' then
  if previous[1] then return 'EXISTS' end
  redis.call('HSET', KEYS[1],
    'tokenHash', ARGV[4], 'keyHash', ARGV[5], 'created', at, 'epoch', 0, 'eventCursor', '0-0', 'audioCursor', 0,
    'generation', 0, 'settings', ARGV[12], 'state', ARGV[13], 'hearing', ARGV[14])
  -- An empty stream, so that audio can be refused once the session is gone.
  redis.call('XADD', KEYS[2], '0-1', 'p', '')
  redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)
else
  if not previous[1] then return 'NOSESSION' end
  if mode == 'token' and (previous[2] ~= ARGV[4] or previous[3] ~= ARGV[5]) then return 'TOKEN' end
end

local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'ownerRef', ARGV[3])
local moved = write_event(KEYS[3], ARGV[8], epoch, at, ARGV[6] .. epoch .. ARGV[7])
redis.call('PUBLISH', ARGV[11], ARGV[9] .. epoch .. ARGV[10])

local s = redis.call('HMGET', KEYS[1], 'state', 'eventCursor', 'settings', 'generation', 'listener', 'fence',
  'audioCursor', 'hearing', 'created')
local last_input = '0-0'
local info = redis.call('XINFO', 'STREAM', KEYS[2])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last_input = info[i + 1] end
end

return { tostring(epoch), moved, s[1], s[2], s[3], s[4], s[5] or '', s[6] or '', s[7], s[8], s[9], previous[1] or '',
  string.match(last_input, '^%d+'), redis.call('HGETALL', KEYS[4]) }
