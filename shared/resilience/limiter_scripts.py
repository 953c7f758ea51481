"""The limiter's scripts, run by Redis: each takes all of its keys or none.

The time is the server's: callers' clocks differ, and one that runs two seconds ahead would push every key two seconds
into the future for all the others. Microseconds as integers stay exact in Lua's doubles. After a failover the new
server's clock may be behind the old one's: what lies further ahead than it can is put back, or it would refuse until
the clock has caught up.
"""

from __future__ import annotations

# KEYS: one for each limit. ARGV: for each of them its kind and three numbers; last the token of the places.
# rate   step, ahead: GCRA (generic cell rate algorithm). The key holds the time at which it would be idle again. A take
#        is allowed if that lies no further ahead than the burst allows, and moves it by a step.
# window count, length, slot: the key holds takes as (time, number), oldest first.
# places count, lease, retry: a sorted set of tokens by the end of their lease.
# Returns how long to wait, and for each limit what remains and after how long that grows.
TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local token = ARGV[#ARGV]
local wait, found = 0, {}

local function look_at_rate(key, step, ahead)
  local stored = tonumber(redis.call('GET', key) or '0')
  local idle = math.min(math.max(stored, now), now + ahead + step)
  if stored > idle then
    redis.call('SET', key, string.format('%.0f', idle), 'PX', math.ceil((idle - now) / 1000) + 1)
  end
  local function standing(at)
    local remaining = math.max(0, math.floor((ahead - (at - now)) / step) + 1)
    return remaining, math.max(0, at - now - ahead + remaining * step)
  end
  local function take()
    local moved = idle + step
    redis.call('SET', key, string.format('%.0f', moved), 'PX', math.ceil((moved - now) / 1000) + 1)
    return standing(moved)
  end
  return math.max(0, idle - now - ahead), take, function() return standing(idle) end
end

local function look_at_window(key, count, length, slot)
  local stored = redis.call('GET', key) or ''
  local entries, used, ahead = {}, 0, false
  for place = 1, #stored, 12 do
    local at, number = struct.unpack('<dI4', stored, place)
    if at > now then at, ahead = now, true end
    if at >= now - length then
      entries[#entries + 1] = {at, number}
      used = used + number
    end
  end
  local function write()
    local packed = {}
    for i, entry in ipairs(entries) do packed[i] = struct.pack('<dI4', entry[1], entry[2]) end
    redis.call('SET', key, table.concat(packed), 'PX', math.ceil(length / 1000) + 1)
  end
  local function free_after(wanted)
    for _, entry in ipairs(entries) do
      wanted = wanted - entry[2]
      if wanted <= 0 then return entry[1] + length + 1 - now end
    end
    return 0
  end
  local function take()
    local last = entries[#entries]
    if last and slot > 0 and math.floor(last[1] / slot) == math.floor(now / slot) then
      last[1], last[2] = now, last[2] + 1
    else
      entries[#entries + 1] = {now, 1}
    end
    used = used + 1
    write()
    return count - used, free_after(1)
  end
  if ahead then write() end
  return used < count and 0 or free_after(used - count + 1), take,
    function() return math.max(0, count - used), free_after(math.max(1, used - count + 1)) end
end

local function look_at_places(key, count, lease, retry)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', key, now + 2 * lease, '+inf')
  local held = redis.call('ZCARD', key)
  local function free_after()
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    return first[2] and math.min(retry, tonumber(first[2]) - now + 1) or 0
  end
  local function take()
    redis.call('ZADD', key, now + lease, token)
    redis.call('PEXPIRE', key, math.ceil(lease / 1000) + 1)
    return count - held - 1, free_after()
  end
  return held < count and 0 or free_after(), take,
    function() return math.max(0, count - held), free_after() end
end

local kinds = {rate = look_at_rate, window = look_at_window, places = look_at_places}
for i, key in ipairs(KEYS) do
  local of = 4 * i - 3
  local waits, take, stand = kinds[ARGV[of]](key, tonumber(ARGV[of + 1]), tonumber(ARGV[of + 2]),
                                             tonumber(ARGV[of + 3]))
  found[i] = {take, stand}
  wait = math.max(wait, waits)
end
local told = {wait}
for _, one in ipairs(found) do
  local remaining, more
  if wait > 0 then remaining, more = one[2]() else remaining, more = one[1]() end
  told[#told + 1] = remaining
  told[#told + 1] = more
end
return told
"""

# KEYS: of places. ARGV: their token, then for each the lease. The work is still going on, so its place counts, even if
# its lease ended meanwhile or the server has lost it.
RENEW = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
for i, key in ipairs(KEYS) do
  local lease = tonumber(ARGV[i + 1])
  redis.call('ZADD', key, now + lease, ARGV[1])
  redis.call('PEXPIRE', key, math.ceil(lease / 1000) + 1)
end
return #KEYS
"""
