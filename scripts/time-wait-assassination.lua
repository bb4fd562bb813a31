-- time-wait-assassination HOST:PORT: RFC 1337. A connection is closed, and while it stands in TIME_WAIT an old duplicate
-- of one of the other end's segments arrives: TIME_WAIT answers with an ACK, to which a host without the connection
-- answers with a RST, and that RST must not end TIME_WAIT early. Here it is peel's own endpoint that stands in TIME_WAIT,
-- and the RST is made by the script; run it on a link where the host's own packets come back, or between two namespaces.
--   peel run time-wait-assassination.lua 192.0.2.1:7
local place = arg[1]
if not place then
    error("usage: time-wait-assassination.lua HOST:PORT", 0)
end

local c = connect(place, {timeout = 5, linger = 3})
c:send("one\n")
c:receive(nil, {timeout = 1})
c:shutdown()
c:receive("*a", {timeout = 5})
if not c:wait("TIME_WAIT", {timeout = 5}) then
    error("TIME_WAIT was not reached: the other end closed first", 0)
end
print("TIME_WAIT")
local ends, began = c:info(), now()
local layer = ends.local_address:find(":", 1, true) and ipv6 or ip
-- from the other end's address, into our own conversation
send(layer{src = ends.remote_address, dst = ends.local_address} /
     tcp{srcport = ends.remote_port, dstport = ends.local_port, flags = "R", seq = 1})
c:close()
print(("TIME_WAIT lasted %.1f s"):format(now() - began))
