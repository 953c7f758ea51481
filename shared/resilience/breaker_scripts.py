"""Lua scripts that change a shared breaker's state inside Redis, for all processes at once.

A hash holds `opened` (microseconds of the server's clock, 0 while closed), `failures` in a row, and `era`, which
changes with each opening and closing, so that a call from an earlier state cannot undo it. A second key, which expires,
marks that a trial call is under way. Every script returns (state, microseconds until a trial is due, failures, era).
"""

from __future__ import annotations

CLOSED, OPEN, TRIAL_YOURS, TRIAL_OF_ANOTHER = range(4)
KEPT_FOR_MS = 3_600_000
"""A breaker that nobody has used for this long is forgotten. Longer than it stays open."""

# ARGV: open for (us), trial's time to live (ms), failures to open, then each script's own.
_READ = """
local open_for, ttl, fail_max = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local h = redis.call('HMGET', KEYS[1], 'opened', 'failures', 'era')
local opened, failures, era = tonumber(h[1] or '0'), tonumber(h[2] or '0'), tonumber(h[3] or '0')
local function write(o, f, e)
  opened, failures, era = o, f, e
  redis.call('HSET', KEYS[1], 'opened', string.format('%.0f', o), 'failures', f, 'era', string.format('%.0f', e))
  redis.call('PEXPIRE', KEYS[1], KEPT_FOR_MS + 2 * open_for / 1000)
end
local function told()
  if opened == 0 then return {0, 0, failures, era} end
  return {1, math.max(opened + open_for - now, 0), failures, era}
end
""".replace("KEPT_FOR_MS", str(KEPT_FOR_MS))

# token. The trial's place is asked for in half-open only.
ADMIT = (
    _READ
    + """
if opened == 0 or opened + open_for > now then return told() end
if redis.call('SET', KEYS[2], ARGV[4], 'NX', 'PX', ttl) then return {2, 0, failures, era} end
return {3, 0, failures, era}
"""
)

# token ('' without), outcome (ok, failed, nothing), era in which the call was let through
SETTLE = (
    _READ
    + """
local mine = ARGV[4] ~= '' and redis.call('GET', KEYS[2]) == ARGV[4]
if mine then redis.call('DEL', KEYS[2]) end
if tonumber(ARGV[6]) ~= era or ARGV[5] == 'nothing' then return told() end
if opened > 0 then
  if mine and ARGV[5] == 'ok' then write(0, 0, now) end
  if mine and ARGV[5] == 'failed' then write(now, 0, now) end
elseif ARGV[5] == 'ok' then
  if failures > 0 then write(0, 0, era) end
elseif failures + 1 >= fail_max then write(now, 0, now)
else write(0, failures + 1, era) end
return told()
"""
)

# us for which one's own breaker is open yet (-1: closed), failures counted alone, whether anything succeeded alone.
# An open breaker stays open: the next trial decides.
MERGE = (
    _READ
    + """
local own_wait, counted, succeeded = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
if opened == 0 then
  local sum = succeeded and counted or failures + counted
  if own_wait >= 0 then write(now - open_for + own_wait, 0, now)
  elseif sum >= fail_max then write(now, 0, now)
  elseif sum ~= failures then write(0, sum, era) end
end
return told()
"""
)
