-- Puts a job into a queue, once for each id.
--
-- KEYS 1 queue (sorted set of jobs by deadline), 2 the job's id
-- ARGV 1 deadline, 2 job, 3 milliseconds for which the id is known, 4 most jobs that may wait
-- Refuses FULL
-- Answers { 1 }, or { 0 } where the id is known already

if redis.call('EXISTS', KEYS[2]) == 1 then return { 0 } end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 'FULL' end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
return { 1 }
