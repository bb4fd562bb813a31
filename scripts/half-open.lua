-- half-open ADDRESS PORT: a handshake that is never finished. The SYN-ACK is not acknowledged; how often and when does
-- the other end send it again?
--   peel run half-open.lua 192.0.2.1 80 10
local address, port, seconds = arg[1], tonumber(arg[2] or 80), tonumber(arg[3] or 8)
if not address then
    error("usage: half-open.lua ADDRESS [PORT [SECONDS]]", 0)
end

local layer = address:find(":", 1, true) and ipv6 or ip
local local_port = math.random(40000, 60000)
local syn = layer{dst = address} / tcp{srcport = local_port, dstport = port, flags = "S", seq = 1000}
local first = assert(ask(syn, {timeout = 1}))
if first.tcp["flags.reset"] then
    error("refused", 0)
end
print("  0.000 SYN-ACK")
local again, ends = 0, now() + seconds
while now() < ends do
    local got = sniff{timeout = ends - now(), match = tcp{srcport = port, dstport = local_port, flags = "SA"}}[1]
    if got then
        again = again + 1
        print(("%7.3f SYN-ACK again"):format(got.time - first.time))
    end
end
send(syn / {flags = "R", seq = 1001})
print(("sent again %d times in %g s; reset"):format(again, seconds))
