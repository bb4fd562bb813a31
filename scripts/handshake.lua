-- handshake ADDRESS PORT: three packets by hand, and three to close: what connect() does, step by step.
--   peel run handshake.lua 192.0.2.1 80
local address, port = arg[1], tonumber(arg[2] or 80)
if not address then
    error("usage: handshake.lua ADDRESS [PORT]", 0)
end

local layer = address:find(":", 1, true) and ipv6 or ip
local seq = math.random(0, 0xffffffff)
local me = layer{dst = address} / tcp{srcport = math.random(40000, 60000), dstport = port}

local syn_ack = assert(ask(me / {flags = "S", seq = seq, options = {mss = 1460}}, {timeout = 1, tries = 3}))
print(syn_ack:line())
if not syn_ack.tcp or syn_ack.tcp["flags.reset"] then
    error("refused", 0)
end
local ack = (syn_ack.tcp.seq + 1) & 0xffffffff
seq = (seq + 1) & 0xffffffff
send(me / {flags = "A", seq = seq, ack = ack})
print("ESTABLISHED")

local fin = assert(ask(me / {flags = "FA", seq = seq, ack = ack}, {timeout = 1}))
print(fin:line())
-- The other end acknowledges, and closes in its own time: at once, or never.
if not fin.tcp["flags.fin"] then
    fin = sniff{timeout = 1, match = tcp{srcport = port, flags = "FA"}}[1]
end
if fin then
    send(me / {flags = "A", seq = (seq + 1) & 0xffffffff, ack = (fin.tcp.seq + #fin.tcp.payload + 1) & 0xffffffff})
    print("closed from both ends")
else
    send(me / {flags = "R", seq = (seq + 1) & 0xffffffff})
    print("half closed; reset")
end
