-- Turns an offer of a session's audio into a lease.
--
-- KEYS 1 session hash, 2 events
-- ARGV 1 fence that the offer replaces ('' when nobody hears the session), 2 new fence, 3 listener as JSON
--      4 the lease.moved event, 5 channel of the session
-- Refuses CLOSED, STALE
-- Answers { id of lease.moved, audioCursor, hearing, owner's id, epoch, settings }

local s = redis.call('HMGET', KEYS[1], 'epoch', 'fence', 'audioCursor', 'hearing', 'owner', 'settings')
if not s[1] then return 'CLOSED' end
if (s[2] or '') ~= ARGV[1] then return 'STALE' end

redis.call('HSET', KEYS[1], 'fence', ARGV[2], 'listener', ARGV[3])
redis.call('HDEL', KEYS[1], 'once:listener')
local id = write_event(KEYS[2], ARGV[5], s[1], now_ms(), ARGV[4])
return { id, s[3], s[4], s[5], s[1], s[6] }
