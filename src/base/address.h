/* Addresses as text, the spelling that the RFCs recommend. The writers need room for ADDRESS_TEXT bytes, write no
 * terminating zero and return the end of what they wrote. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_TEXT = 48, MAC_TEXT = 18 };

/* An IPv4 or IPv6 address as it stands on the wire. */
struct ip_address {
    uint8_t size; /* 4 or 16; 0: none */
    uint8_t bytes[16];
};

char *write_ipv4(char *at, uint32_t address);          /* host byte order */
char *write_ipv6(char *at, const uint8_t address[16]); /* RFC 5952 */
char *write_mac(char *at, const uint8_t address[6]);   /* aa:bb:cc:dd:ee:ff */

/* A whole, zero-terminated text to an address; false if it is none. */
bool parse_ipv4(const char *text, uint32_t *address);
bool parse_ipv6(const char *text, uint8_t address[16]);
bool parse_mac(const char *text, uint8_t address[6]);
bool parse_ip(const char *text, struct ip_address *address);
char *write_ip(char *at, const struct ip_address *address);
bool ip_same(const struct ip_address *a, const struct ip_address *b);
