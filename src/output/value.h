/* A field's value as text, the spelling of tshark -T fields: numbers in the base of their row, 0x with the digits of
 * their width, addresses by the RFCs, times as seconds with nine decimals, bytes as hex without separators, text
 * escaped, presence as 1. */
#pragma once
#include "base/buffer.h"
#include "protocol/field.h"

void value_write(struct buffer *out, const struct field *field, const struct value *value);
/* The same with the value's name, as a tree shows it: "TCP (6)", "0x0800 (IPv4)". Text in quotes, bits as Set / Not
 * set. */
void value_write_named(struct buffer *out, const struct field *field, const struct value *value);
/* One JSON value: numbers and booleans bare, times, addresses, bytes and text in quotes. */
void value_write_json(struct buffer *out, const struct field *field, const struct value *value);
