-- port-states ADDRESS PORT...: which TCP ports of a host of one's own are open, closed or silent: one SYN to each at a
-- time, answered by a reset. For the host on the table, not for those of others.
--   peel run port-states.lua 192.0.2.1 22 80 443
local address = arg[1]
if not address or not arg[2] then
    error("usage: port-states.lua ADDRESS PORT...", 0)
end

local layer = address:find(":", 1, true) and ipv6 or ip
for i = 2, #arg do
    local port = tonumber(arg[i]) or error(arg[i] .. " is no port", 0)
    local syn = layer{dst = address} / tcp{srcport = 40000 + i, dstport = port, flags = "S", seq = 1}
    local answer = ask(syn, {timeout = 0.5, tries = 2})
    local state = "silent"
    if answer and answer.tcp and answer.tcp.flags & 0x12 == 0x12 then
        state = "open"
        send(syn / {flags = "R", seq = 2})
    elseif answer and answer.tcp and answer.tcp["flags.reset"] then
        state = "closed"
    elseif answer then
        state = "unreachable"
    end
    print(("%5d %s"):format(port, state))
end
