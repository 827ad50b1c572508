-- Put before every script of a session.

-- Redis TIME in milliseconds, as text.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] .. string.sub(string.format('%06d', time[2]), 1, 3)
end

-- Adds an event (JSON) to the log under an epoch, publishes it as `<id> <at> <json>` and answers its id.
-- The log is capped: whole nodes of 100 entries are dropped, so that it never holds more than 10 000.
local function write_event(events_key, channel, epoch, at, json)
  local id = redis.call('XADD', events_key, 'MAXLEN', '~', 9900, epoch .. '-*', 'e', json, 'at', at)
  redis.call('PUBLISH', channel, id .. ' ' .. at .. ' ' .. json)
  return id
end
