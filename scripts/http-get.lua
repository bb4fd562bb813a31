-- http-get HOST[:PORT] [PATH]: a page by HTTP/1.0, over peel's own TCP.
--   peel run http-get.lua 192.0.2.1:8080 /index.html
local place, path = arg[1], arg[2] or "/"
if not place then
    error("usage: http-get.lua HOST[:PORT] [PATH]", 0)
end
local host = place
if not place:find(":%d+$") then
    place = place .. ":80"
else
    host = place:match("^(.*):%d+$")
end

local c = connect(place, {timeout = 5})
c:send("GET " .. path .. " HTTP/1.0\r\nHost: " .. host .. "\r\nConnection: close\r\n\r\n")
local status = c:receive("*l", {timeout = 10})
if not status then
    error("no answer", 0)
end
io.stderr:write(status, "\n")
for line in function() return c:receive("*l") end do
    if line == "" then
        break
    end
    io.stderr:write(line, "\n")
end
io.write(c:receive("*a"))
c:close()
