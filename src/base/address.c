#include "base/address.h"
#include "base/buffer.h"
#include "base/span.h"
#include <arpa/inet.h>

/* Each octet's digits, how many they are in the fourth byte. */
#define O1(n)                                                                                                          \
    {                                                                                                                  \
        (char)('0' + ((n) >= 100  ? (n) / 100                                                                          \
                      : (n) >= 10 ? (n) / 10                                                                           \
                                  : (n))),                                                                             \
            (char)('0' + ((n) >= 100 ? (n) / 10 % 10 : (n) % 10)), (char)('0' + (n) % 10),                             \
            (char)((n) >= 100  ? 3                                                                                     \
                   : (n) >= 10 ? 2                                                                                     \
                               : 1)                                                                                    \
    }
#define O4(n)  O1(n), O1((n) + 1), O1((n) + 2), O1((n) + 3)
#define O16(n) O4(n), O4((n) + 4), O4((n) + 8), O4((n) + 12)
#define O64(n) O16(n), O16((n) + 16), O16((n) + 32), O16((n) + 48)
static const char octets[256][4] = { O64(0), O64(64), O64(128), O64(192) };

char *write_ipv4(char *at, uint32_t address)
{
    for (int shift = 24;; shift -= 8) {
        const char *octet = octets[address >> shift & 255];
        memcpy(at, octet, 4);
        at += octet[3];
        if (!shift)
            return at;
        *at++ = '.';
    }
}

char *write_ipv6(char *at, const uint8_t address[16])
{
    unsigned best = 8, best_length = 1;
    for (unsigned i = 0; i < 8;) {
        unsigned length = 0;
        while (i + length < 8 && !address[2 * (i + length)] && !address[2 * (i + length) + 1])
            length++;
        if (length > best_length) {
            best = i;
            best_length = length;
        }
        i += length ? length : 1;
    }
    bool mapped = best == 0 && ((best_length == 5 && load_be16(address + 10) == 0xffff));
    unsigned words = mapped ? 6 : 8;
    for (unsigned i = 0; i < words; i++) {
        if (i == best) {
            *at++ = ':';
            *at++ = ':';
            i += best_length - 1;
            continue;
        }
        if (i && i != best + best_length)
            *at++ = ':';
        at = write_hex(at, load_be16(address + 2 * i), 1);
    }
    if (mapped) {
        *at++ = ':';
        at = write_ipv4(at, load_be32(address + 12));
    }
    return at;
}

char *write_mac(char *at, const uint8_t address[6])
{
    for (unsigned i = 0; i < 6; i++) {
        at = write_hex(at, address[i], 2);
        *at++ = ':';
    }
    return at - 1;
}

bool parse_ipv4(const char *text, uint32_t *address)
{
    struct in_addr parsed;
    if (inet_pton(AF_INET, text, &parsed) != 1)
        return false;
    *address = ntohl(parsed.s_addr);
    return true;
}

bool parse_ipv6(const char *text, uint8_t address[16])
{
    return inet_pton(AF_INET6, text, address) == 1;
}

bool parse_mac(const char *text, uint8_t address[6])
{
    for (unsigned i = 0; i < 6; i++) {
        unsigned value = 0;
        for (unsigned k = 0; k < 2; k++, text++) {
            char c = *text;
            int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
            if (digit < 0)
                return false;
            value = value * 16 + (unsigned)digit;
        }
        address[i] = (uint8_t)value;
        if (i < 5 && *text++ != ':')
            return false;
    }
    return *text == 0;
}

bool parse_ip(const char *text, struct ip_address *address)
{
    uint32_t four;
    *address = (struct ip_address){ 0 };
    if (parse_ipv4(text, &four)) {
        address->size = 4;
        store_be32(address->bytes, four);
        return true;
    }
    address->size = 16;
    return parse_ipv6(text, address->bytes);
}

char *write_ip(char *at, const struct ip_address *address)
{
    return address->size == 4 ? write_ipv4(at, load_be32(address->bytes)) : write_ipv6(at, address->bytes);
}

bool ip_same(const struct ip_address *a, const struct ip_address *b)
{
    return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}
