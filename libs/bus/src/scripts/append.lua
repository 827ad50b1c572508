-- Adds events, speech and the cursor that they settle, by the listener, the holder of a claim, or the owner.
--
-- KEYS 1 session hash, 2 in, 3 events, 4 out, 5 work
-- ARGV 1 holder: listener, work or owner; 2 its fence or epoch
--      3 work: key of the item; owner: its id; 4 work: reply of the item; 5 token of this append ('' for none)
--      6 new audioCursor or resumeAt ('' keeps it), 7 listener: hearing state ('' keeps it), 8 work: 1 when done
--      9 clause of the speech ('' for none), 10 its first sample, 11 whether it is the last, 12 PCM
--      13 channel of the session, then the events
-- Refuses CLOSED; listener: FENCED; work: CANCELLED, FENCED; owner: NOTOWNER
-- Answers { entries of out dropped at its cap, ids of the events … }

local holder = ARGV[1]
local s = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'fence')
local epoch = s[1]
if not epoch then return 'CLOSED' end

local once_key, once_field = KEYS[1], 'once:' .. holder
if holder == 'listener' then
  if s[3] ~= ARGV[2] then return 'FENCED' end
elseif holder == 'work' then
  local item = redis.call('HMGET', KEYS[5], ARGV[3] .. ':try', ARGV[3] .. ':fence', 'cancelled.' .. ARGV[4])
  if not item[1] then return 'CANCELLED' end
  if item[2] ~= ARGV[2] then return 'FENCED' end
  if item[3] then return 'CANCELLED' end
  once_key, once_field = KEYS[5], ARGV[3] .. ':once'
elseif epoch ~= ARGV[2] or s[2] ~= ARGV[3] then
  return 'NOTOWNER'
end

-- The same append again, because its answer was lost: answered as the first time.
local token = ARGV[5]
if token ~= '' then
  local known = redis.call('HGET', once_key, once_field)
  if known and string.sub(known, 1, #token + 1) == token .. ' ' then
    local ids = { 0 }
    for id in string.gmatch(string.sub(known, #token + 2), '%S+') do ids[#ids + 1] = id end
    return ids
  end
end

local dropped = 0
if ARGV[9] ~= '' then
  redis.call('XADD', KEYS[4], '*', 'r', ARGV[4], 'c', ARGV[9], 's', ARGV[10], 'l', ARGV[11], 'pcm', ARGV[12])
  -- Far above what an owner lets wait; what is dropped here was never going to be played.
  if redis.call('XLEN', KEYS[4]) > 10000 then dropped = redis.call('XTRIM', KEYS[4], 'MAXLEN', 9000) end
end

local reply = { dropped }
local at = now_ms()
for i = 14, #ARGV do
  reply[#reply + 1] = write_event(KEYS[3], ARGV[13], epoch, at, ARGV[i])
end

if holder == 'listener' then
  if ARGV[6] ~= '' then
    redis.call('HSET', KEYS[1], 'audioCursor', ARGV[6])
    redis.call('XTRIM', KEYS[2], 'MINID', ARGV[6] .. '-1')
  end
  if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'hearing', ARGV[7]) end
elseif holder == 'work' then
  if ARGV[6] ~= '' then redis.call('HSET', KEYS[5], ARGV[3] .. ':resumeAt', ARGV[6]) end
  if ARGV[8] == '1' then redis.call('HSET', KEYS[5], ARGV[3] .. ':done', 1) end
end
if token ~= '' then redis.call('HSET', once_key, once_field, token .. ' ' .. table.concat(reply, ' ', 2)) end
return reply
