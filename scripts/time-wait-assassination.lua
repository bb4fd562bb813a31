-- time-wait-assassination ADDRESS PORT: RFC 1337. The other end (a server of HTTP/1.0, which closes first) stands in
-- TIME_WAIT; an old segment arrives there, is answered with an ACK, and that ACK with a RST, as by a host that knows of
-- no connection. Does TIME_WAIT end by it? The same old segment tells: TIME_WAIT answers with an ACK, CLOSED with a RST.
--   peel run time-wait-assassination.lua 192.0.2.1 80
local address, port = arg[1], tonumber(arg[2] or 80)
if not address then
    error("usage: time-wait-assassination.lua ADDRESS [PORT]", 0)
end

local layer = address:find(":", 1, true) and ipv6 or ip
local local_port = math.random(40000, 60000)
local me = layer{dst = address} / tcp{srcport = local_port, dstport = port}
local theirs = tcp{srcport = port, dstport = local_port}
local function add(a, b)
    return (a + b) & 0xffffffff
end

local syn_ack = assert(ask(me / {flags = "S", seq = 1000}, {timeout = 1, tries = 3}))
if not syn_ack.tcp or syn_ack.tcp["flags.reset"] then
    error("refused", 0)
end
local ack = add(syn_ack.tcp.seq, 1)
send(me / {flags = "A", seq = 1001, ack = ack})
local request = "HEAD / HTTP/1.0\r\n\r\n"
local old = me / {flags = "PA", seq = 1001, ack = ack} / request
send(old)

local fin
repeat -- all that it says, up to its FIN
    local got = expect(theirs, {within = 3})
    if got.tcp.seq == ack then
        ack = add(ack, #got.tcp.payload + (got.tcp["flags.fin"] and 1 or 0))
        fin = got.tcp["flags.fin"]
        send(me / {flags = "A", seq = 1001 + #request, ack = ack})
    end
until fin
ask(me / {flags = "FA", seq = 1001 + #request, ack = ack}, {timeout = 1})
print("TIME_WAIT")

local answer = assert(ask(old, {timeout = 1}), "an old segment was not answered")
if answer.tcp["flags.reset"] then
    error("the other end did not stand in TIME_WAIT", 0)
end
send(me / {flags = "R", seq = answer.tcp.ack})
sleep(0.1)
answer = ask(old, {timeout = 1})
if answer and not answer.tcp["flags.reset"] then
    print("it stood the reset")
else
    print("assassinated")
end
