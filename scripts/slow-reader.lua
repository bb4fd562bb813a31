-- slow-reader HOST:PORT [REQUEST [SECONDS]]: asks for much and reads nothing, so that the window closes; then reads on.
--   peel run slow-reader.lua 192.0.2.1:8080 '/big' 3
local place, path, seconds = arg[1], arg[2] or "/", tonumber(arg[3] or 3)
if not place then
    error("usage: slow-reader.lua HOST:PORT [PATH [SECONDS]]", 0)
end

local c = connect(place, {window = 8192, timeout = 5})
c:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
sleep(seconds)
local stalled = c:info().bytes_received
print(("%d bytes came, and the window is closed"):format(stalled))
local all = c:receive("*a", {timeout = 60})
print(("%d bytes in all, once they were read"):format(#all))
c:close()
