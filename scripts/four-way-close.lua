-- four-way-close HOST:PORT [TEXT]: a conversation that is closed step by step, with the state at each.
--   peel run four-way-close.lua 192.0.2.1:7
local place, text = arg[1], arg[2] or "bye\n"
if not place then
    error("usage: four-way-close.lua HOST:PORT [TEXT]", 0)
end

local c = connect(place, {timeout = 5})
print(c:state())
c:send(text)
c:shutdown() -- our FIN
print(c:state())
if c:wait("FIN_WAIT_2", {timeout = 5}) then -- it was acknowledged; the other end may still speak
    print(c:state())
end
local rest = c:receive("*a", {timeout = 5}) -- up to its FIN
print(("%d bytes more"):format(#rest))
c:wait("TIME_WAIT", {timeout = 5})
print(c:state())
c:close()
print(c:state())
