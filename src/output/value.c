#include "output/value.h"
#include "base/address.h"
#include "base/clock.h"
#include <time.h>

static unsigned hex_digits(const struct value *value)
{
    unsigned bytes = (value->width + 7) / 8;
    return 2 * (bytes ? bytes == 3 ? 4 : bytes : 1);
}

static void write_number(struct buffer *out, const struct field *field, const struct value *value)
{
    char *at = buffer_room(out, 24);
    if (field->base == BASE_HEX) {
        *at++ = '0';
        *at++ = 'x';
        out->at = write_hex(at, value->u, hex_digits(value));
    } else {
        out->at = write_decimal(at, value->u);
    }
}

/* "Sep  9, 2001 01:46:40.000000000 UTC", the day and the clock of this place. */
static void write_date(struct buffer *out, int64_t time)
{
    int64_t fraction = time % 1000000000 + (time % 1000000000 < 0 ? 1000000000 : 0);
    time_t seconds = (time_t)((time - fraction) / 1000000000);
    struct tm tm;
    char text[64];
    if (!localtime_r(&seconds, &tm))
        return;
    buffer_escaped(out, (const uint8_t *)text, strftime(text, sizeof text, "%b %e, %Y %H:%M:%S.", &tm));
    buffer_format(out, "%09u ", (unsigned)fraction);
    buffer_escaped(out, (const uint8_t *)text, strftime(text, sizeof text, "%Z", &tm));
}

void value_write(struct buffer *out, const struct field *field, const struct value *value)
{
    char *at;
    switch (field->type) {
    case FIELD_UINT:
    case FIELD_UINT_LE:
        write_number(out, field, value);
        break;
    case FIELD_INT:
        if (value->i < 0)
            buffer_char(out, '-');
        buffer_decimal(out, value->i < 0 ? 0 - value->u : value->u);
        break;
    case FIELD_BOOL:
        buffer_char(out, value->u ? '1' : '0');
        break;
    case FIELD_MAC:
        at = buffer_room(out, MAC_TEXT);
        out->at = write_mac(at, value->bytes.at);
        break;
    case FIELD_IPV4:
        at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv4(at, (uint32_t)value->u);
        break;
    case FIELD_IPV6:
        at = buffer_room(out, ADDRESS_TEXT);
        out->at = write_ipv6(at, value->bytes.at);
        break;
    case FIELD_TEXT:
        buffer_c_escaped(out, value->bytes.at, value->bytes.left, field->flags & FIELD_ASCII);
        break;
    case FIELD_TIME:
        if (field->base == BASE_DATE) {
            write_date(out, value->i);
            break;
        }
        /* fall through */
    case FIELD_DURATION:
        time_write(out, value->i, 9);
        break;
    case FIELD_NONE:
        if (!value->width) {
            buffer_char(out, '1');
            break;
        }
        /* fall through */
    case FIELD_BYTES:
    case FIELD_TLVS:
        buffer_bytes(out, value->bytes.at, value->bytes.left, 0);
        break;
    }
}

void value_write_named(struct buffer *out, const struct field *field, const struct value *value)
{
    if (field->type == FIELD_BOOL) {
        buffer_text(out, value->u ? "Set" : "Not set");
        return;
    }
    if (field->type == FIELD_TEXT) {
        buffer_char(out, '"');
        buffer_escaped(out, value->bytes.at, value->bytes.left);
        buffer_char(out, '"');
        return;
    }
    const char *name = field_value_name(field, value->u);
    bool number = field->type == FIELD_UINT || field->type == FIELD_UINT_LE;
    if (number && name && field->base == BASE_DEC) {
        buffer_text(out, name);
        buffer_text(out, " (");
        write_number(out, field, value);
        buffer_char(out, ')');
        return;
    }
    value_write(out, field, value);
    if (number && name) {
        buffer_text(out, " (");
        buffer_text(out, name);
        buffer_char(out, ')');
    }
}

void value_write_json(struct buffer *out, const struct field *field, const struct value *value)
{
    switch (field->type) {
    case FIELD_INT:
        value_write(out, field, value);
        break;
    case FIELD_UINT:
    case FIELD_UINT_LE:
        buffer_decimal(out, value->u);
        break;
    case FIELD_BOOL:
        buffer_text(out, value->u ? "true" : "false");
        break;
    case FIELD_NONE:
        buffer_text(out, "true");
        break;
    case FIELD_TEXT:
        buffer_char(out, '"');
        buffer_json_escaped(out, value->bytes.at, value->bytes.left);
        buffer_char(out, '"');
        break;
    default:
        buffer_char(out, '"');
        value_write(out, field, value);
        buffer_char(out, '"');
    }
}
