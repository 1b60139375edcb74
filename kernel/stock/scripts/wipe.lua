-- Forgets a bucket before it is loaded anew: without `stk` it has no epoch, so that every other script refuses it.
-- Idempotency keys stay: what they name was answered. KEYS stk rsv lim out due, and those of the layout before
return redis.call('UNLINK', unpack(KEYS))
