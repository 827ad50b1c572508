-- One step of the turn machine, all or nothing: what can be refused is checked before anything is written.
--
-- KEYS 1 session hash, 2 in, 3 events, 4 out, 5 work, 6 outbox, 7 history
-- ARGV 1 epoch, 2 owner's id, 3 expected eventCursor, 4 new eventCursor, 5 state, 6 generation
--      7 messages that the history must hold for this step, 8 channel of the session
--      then operations, each a name and its arguments:
--      event json | settings json | clear | push message | set index message | create key input resumeAt | cancel reply
--      raise key try input ('' keeps it) | drop turn | outbox id value | outboxDone id | audioCursor sample
--      hearing json | trimEvents id | trimOut id | close control-channel control-message
-- Refuses CLOSED, NOTOWNER, CURSOR; an error for a history too short
-- Answers the ids of the events

local s = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'eventCursor')
if not s[1] then return 'CLOSED' end
if s[1] ~= ARGV[1] or s[2] ~= ARGV[2] then return 'NOTOWNER' end
if s[3] ~= ARGV[3] then return 'CURSOR' end
local required = tonumber(ARGV[7])
if required > 0 and redis.call('LLEN', KEYS[7]) < required then
  return redis.error_reply('ERR history is shorter than the message to be replaced')
end

redis.call('HSET', KEYS[1], 'eventCursor', ARGV[4], 'state', ARGV[5], 'generation', ARGV[6])

local ids = {}
local at = now_ms()
local i = 9
while ARGV[i] do
  local op = ARGV[i]
  local a, b, c = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if op == 'event' then
    ids[#ids + 1] = write_event(KEYS[3], ARGV[8], s[1], at, a)
    i = i + 2
  elseif op == 'settings' then
    redis.call('HSET', KEYS[1], 'settings', a)
    i = i + 2
  elseif op == 'clear' then
    redis.call('DEL', KEYS[7])
    i = i + 1
  elseif op == 'push' then
    redis.call('RPUSH', KEYS[7], a)
    i = i + 2
  elseif op == 'set' then
    redis.call('LSET', KEYS[7], a, b)
    i = i + 3
  elseif op == 'create' then
    redis.call('HSET', KEYS[5], a .. ':try', 1, a .. ':input', b, a .. ':resumeAt', c)
    i = i + 4
  elseif op == 'cancel' then
    -- One mark for the reply and all its clauses, whenever they are created.
    redis.call('HSET', KEYS[5], 'cancelled.' .. a, 1)
    i = i + 2
  elseif op == 'raise' then
    local try = redis.call('HGET', KEYS[5], a .. ':try')
    -- A try only rises, so that none is ever granted twice.
    if try and tonumber(try) < tonumber(b) then
      redis.call('HSET', KEYS[5], a .. ':try', b)
      if c ~= '' then redis.call('HSET', KEYS[5], a .. ':input', c) end
      redis.call('HDEL', KEYS[5], a .. ':fence', a .. ':holder', a .. ':once')
    end
    i = i + 4
  elseif op == 'drop' then
    local turn = tonumber(a)
    local old = {}
    for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
      if tonumber(string.match(field, '^%a+%.(%d+)%.')) < turn then old[#old + 1] = field end
    end
    for from = 1, #old, 500 do
      redis.call('HDEL', KEYS[5], unpack(old, from, math.min(from + 499, #old)))
    end
    i = i + 2
  elseif op == 'outbox' then
    redis.call('HSET', KEYS[6], a, b)
    i = i + 3
  elseif op == 'outboxDone' then
    redis.call('HDEL', KEYS[6], a)
    i = i + 2
  elseif op == 'audioCursor' then
    redis.call('HSET', KEYS[1], 'audioCursor', a)
    redis.call('XTRIM', KEYS[2], 'MINID', a .. '-1')
    i = i + 2
  elseif op == 'hearing' then
    redis.call('HSET', KEYS[1], 'hearing', a)
    i = i + 2
  elseif op == 'trimEvents' then
    redis.call('XTRIM', KEYS[3], 'MINID', a)
    i = i + 2
  elseif op == 'trimOut' then
    redis.call('XTRIM', KEYS[4], 'MINID', a)
    i = i + 2
  else -- close, always the last
    redis.call('PUBLISH', a, b)
    redis.call('DEL', unpack(KEYS))
    i = i + 3
  end
end
return ids
