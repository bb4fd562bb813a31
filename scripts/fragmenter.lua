-- fragmenter ADDRESS SIZE [MTU]: an echo request of SIZE bytes in IPv4 fragments that each fit the MTU, the last one
-- first; the other end has to put them together to answer.
--   peel run fragmenter.lua 192.0.2.1 3000 576
local address, size, mtu = arg[1], tonumber(arg[2] or 3000), tonumber(arg[3] or 576)
if not address then
    error("usage: fragmenter.lua ADDRESS [SIZE [MTU]]", 0)
end

local whole = ip{dst = address} / icmp{type = "Echo request", ident = 4711, seq = 1} / ("x"):rep(size)
local message = whole.ip.payload -- with its checksum, which counts all of it
local piece = (mtu - 20) // 8 * 8
local id = math.random(1, 65535)
local pieces = {}
for at = 0, #message - 1, piece do
    local last = at + piece >= #message
    table.insert(pieces, 1, ip{dst = address, id = id, proto = 1, frag_offset = at // 8, flags = last and "" or "M"} /
                            message:sub(at + 1, at + piece))
end
for _, p in ipairs(pieces) do
    send(p)
end
print(("%d fragments"):format(#pieces))
local reply = expect(ip{src = address, proto = 1}, {within = 2}) -- it may come in fragments, too
print(reply:line())
