-- traceroute ADDRESS [HOPS]: the routers on the way, by UDP datagrams whose hop limit ends one router further each time.
--   peel run traceroute.lua 192.0.2.1
local address, hops = arg[1], tonumber(arg[2] or 30)
if not address then
    error("usage: traceroute.lua ADDRESS [HOPS]", 0)
end

local six = address:find(":", 1, true)
local PORT = 33434 -- where nobody listens

local function probe(hop)
    local transport = udp{srcport = 50000 + hop, dstport = PORT + hop} / "where are you?"
    if six then
        return ipv6{dst = address, hlim = hop} / transport
    end
    return ip{dst = address, ttl = hop} / transport
end

for hop = 1, hops do
    local began = now()
    local answer = ask(probe(hop), {timeout = 1, tries = 2})
    if not answer then
        print(("%2d  *"):format(hop))
    else
        local from = six and answer.ipv6.src or answer.ip.src
        print(("%2d  %s  %.3f ms"):format(hop, from, (answer.time - began) * 1000))
        local error_type = answer.icmp and answer.icmp.type or answer.icmpv6 and answer.icmpv6.type
        if from == address or (error_type ~= 11 and error_type ~= 3) then
            return
        end
        if not six and error_type == 3 then
            return -- unreachable: further there is nothing
        end
    end
end
error(address .. ": not reached", 0)
