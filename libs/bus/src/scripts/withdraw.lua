-- Takes jobs out of a queue.
--
-- KEYS 1 queue, 2 … ids of the jobs
-- Answers { how many were still waiting }

local removed = 0
for i = 2, #KEYS do
  local job = redis.call('GET', KEYS[i])
  if job then
    removed = removed + redis.call('ZREM', KEYS[1], job)
    redis.call('DEL', KEYS[i])
  end
end
return { removed }
