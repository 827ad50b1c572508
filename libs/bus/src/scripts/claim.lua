-- Grants the right to do one reply or one clause, once a try.
--
-- KEYS 1 session hash, 2 work, 3 history
-- ARGV 1 key of the item, 2 its reply, 3 try, 4 new fence, 5 holder as JSON, 6 how many of the newest messages are wanted
-- Refuses CLOSED, STALE (dropped, cancelled or another try), DONE, TAKEN
-- Answers { resumeAt, input, owner's id, epoch, settings, message, … }

local s = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'settings')
if not s[1] then return 'CLOSED' end
local key = ARGV[1]
local item = redis.call('HMGET', KEYS[2], key .. ':try', key .. ':done', key .. ':fence', key .. ':resumeAt',
  key .. ':input', 'cancelled.' .. ARGV[2])
if not item[1] or item[1] ~= ARGV[3] or item[6] then return 'STALE' end
if item[2] then return 'DONE' end
if item[3] then return 'TAKEN' end

redis.call('HSET', KEYS[2], key .. ':fence', ARGV[4], key .. ':holder', ARGV[5])
local answer = { item[4], item[5], s[1], s[2], s[3] }
if ARGV[6] ~= '0' then
  for _, message in ipairs(redis.call('LRANGE', KEYS[3], -tonumber(ARGV[6]), -1)) do answer[#answer + 1] = message end
end
return answer
