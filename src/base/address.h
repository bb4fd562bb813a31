/* Addresses as text, the spelling that the RFCs recommend. The writers need room for ADDRESS_TEXT bytes, write no
 * terminating zero and return the end of what they wrote. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { ADDRESS_TEXT = 48, MAC_TEXT = 18 };

char *write_ipv4(char *at, uint32_t address);          /* host byte order */
char *write_ipv6(char *at, const uint8_t address[16]); /* RFC 5952 */
char *write_mac(char *at, const uint8_t address[6]);   /* aa:bb:cc:dd:ee:ff */

/* A whole, zero-terminated text to an address; false if it is none. */
bool parse_ipv4(const char *text, uint32_t *address);
bool parse_ipv6(const char *text, uint8_t address[16]);
bool parse_mac(const char *text, uint8_t address[6]);
