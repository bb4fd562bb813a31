-- ping ADDRESS [COUNT [SIZE]]: echo requests, over IPv4 or IPv6.
--   peel run ping.lua 192.0.2.1 5
local address, count, size = arg[1], tonumber(arg[2] or 3), tonumber(arg[3] or 56)
if not address then
    error("usage: ping.lua ADDRESS [COUNT [SIZE]]", 0)
end

local six = address:find(":", 1, true)
local ident = math.random(0, 65535)
local data = ("peel "):rep(size // 5 + 1):sub(1, size)

local function request(number)
    if six then
        return ipv6{dst = address} / icmpv6{type = "Echo request", identifier = ident, sequence_number = number} / data
    end
    return ip{dst = address} / icmp{type = "Echo request", ident = ident, seq = number} / data
end

local back = 0
for i = 1, count do
    local began = now()
    local answer = ask(request(i), {timeout = 1})
    local reply = answer and (six and answer.icmpv6 or answer.icmp)
    if not reply then
        print(("%d: no answer"):format(i))
    elseif reply.type == (six and 129 or 0) then
        back = back + 1
        local hops = six and answer.ipv6.hlim or answer.ip.ttl
        print(("%d: %d bytes from %s, hop limit %d, %.3f ms"):format(i, #answer, address, hops,
                                                                      (answer.time - began) * 1000))
    else
        print(("%d: %s"):format(i, answer:line()))
    end
    if i < count then
        sleep(0.2)
    end
end
print(("%d of %d came back"):format(back, count))
if back == 0 then
    error(address .. ": no answer", 0)
end
