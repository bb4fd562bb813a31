-- arping ADDRESS [COUNT]: who has an IPv4 address on the link, asked by ARP, as the host's own stack would ask.
--   peel run -i eth0 arping.lua 192.0.2.1
local address, count = arg[1], tonumber(arg[2] or 3)
if not address then
    error("usage: arping.lua ADDRESS [COUNT]", 0)
end

local answers = 0
for i = 1, count do
    local began = now()
    local answer = ask(arp{opcode = "request", dst = address}, {timeout = 1})
    if answer then
        answers = answers + 1
        print(("%s is at %s  %.3f ms"):format(address, answer.arp["src.hw_mac"], (answer.time - began) * 1000))
    else
        print(("%s does not answer"):format(address))
    end
    if i < count then
        sleep(0.2)
    end
end
if answers == 0 then
    error(address .. ": nobody has it", 0)
end
