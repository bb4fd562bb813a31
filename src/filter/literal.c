#include "filter/literal.h"
#include "base/address.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { NANOSECONDS = 1000000000 };

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

static bool read_number(const char *text, uint64_t *number)
{
    char *end;
    bool binary = text[0] == '0' && (text[1] == 'b' || text[1] == 'B');
    const char *digits = binary ? text + 2 : text;
    if (!(*digits >= '0' && *digits <= '9'))
        return false;
    errno = 0;
    *number = strtoull(digits, &end, binary ? 2 : 0);
    return !*end && !errno;
}

/* --- numbers --- */

static bool find_among(const struct value_name *names, const char *text, int64_t *value)
{
    for (; names && names->name; names++)
        if (!strcasecmp(names->name, text)) {
            *value = names->value;
            return true;
        }
    return false;
}

/* Headers of IPv6 name what follows by number only; the numbers are those of IPv4's protocols (RFC 8200, 3). */
static const struct value_name *names_of(const struct field *field)
{
    static const char *const next[] = { "ipv6.nxt", "ipv6.hopopts.nxt", "ipv6.dstopts.nxt", "ipv6.routing.nxt",
                                        "ipv6.fraghdr.nxt" };
    struct field_ref like = { 0 };
    for (unsigned i = 0; !field->names && i < sizeof next / sizeof *next; i++)
        if (!strcmp(field->abbrev, next[i]) && lookup_field("ip.proto", &like, 1))
            return like.field->names;
    return field->names;
}

static bool find_name(const struct node *field, const char *text, int64_t *value)
{
    for (unsigned i = 0; field && i < field->ref_count; i++)
        if (find_among(names_of(field->refs[i].field), text, value))
            return true;
    return false;
}

/* The most that a field's bytes hold, counted as Wireshark does: by types of 8, 16, 24, 32 and 64 bits. */
static uint64_t greatest(const struct node *field)
{
    uint64_t most = 0;
    for (unsigned i = 0; field && i < field->ref_count; i++) {
        const struct field *f = field->refs[i].field;
        if (!f->width || f->width > 32 || f->unit || f->adjust || f->read || f->note_bit || f->flags & FIELD_SET)
            return INT64_MAX;
        uint64_t here = (UINT64_C(1) << ((f->width + 7) / 8 * 8)) - 1;
        most = here > most ? here : most;
    }
    return most ? most : INT64_MAX;
}

static int number(struct node *n, const struct node *field, struct error *error)
{
    uint64_t value, most = greatest(field);
    if (n->character) {
        n->value.i = (uint8_t)n->text[0];
        return 0;
    }
    if (find_name(field, n->text, &n->value.i))
        return 0;
    if (!read_number(n->text, &value))
        return field && field->ref_count && field->refs[0].field->names
                   ? syntax_wrong(error, n->column, _("'%.64s' is no number, and %s has no value of that name"),
                                  n->text, field->refs[0].field->abbrev)
                   : syntax_wrong(error, n->column, _("'%.64s' is no number"), n->text);
    if (value > most)
        return syntax_wrong(error, n->column, _("%s is too big for this field; its greatest value is %llu"), n->text,
                            (unsigned long long)most);
    n->value.i = (int64_t)value;
    return 0;
}

static int boolean(struct node *n, const struct node *field, struct error *error)
{
    uint64_t value;
    if (!strcasecmp(n->text, "true") || !strcasecmp(n->text, "set"))
        n->value.i = 1;
    else if (!strcasecmp(n->text, "false") || !strcasecmp(n->text, "not set"))
        n->value.i = 0;
    else if (n->character)
        n->value.i = n->text[0] != 0;
    else if (read_number(n->text, &value))
        n->value.i = value != 0;
    else if (!find_name(field, n->text, &n->value.i))
        return syntax_wrong(error, n->column, _("'%.64s' is neither true nor false"), n->text);
    return 0;
}

/* --- times --- */

/* Digits behind a point as nanoseconds; at what follows. */
static int64_t read_fraction(const char **at)
{
    int64_t value = 0, unit = NANOSECONDS;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        unit /= 10;
        value += unit * (**at - '0');
    }
    return value;
}

static bool read_seconds(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    if ((*text < '0' || *text > '9') && (*text != '.' || !text[1]))
        return false;
    unsigned long long seconds = strtoull(text, &end, 10);
    const char *at = end; /* of ".5" it took nothing */
    if (errno || seconds > INT64_MAX / NANOSECONDS - 1)
        return false;
    *value = (int64_t)seconds * NANOSECONDS;
    if (*at == '.') {
        at++;
        *value += read_fraction(&at);
    }
    return !*at;
}

/* Z, UTC, +01:00, -0130 or nothing. */
static bool read_zone(const char *at, bool *known, long *offset)
{
    at += strspn(at, " ");
    *offset = 0;
    *known = *at != 0;
    if (!*at || !strcmp(at, "Z") || !strcmp(at, "UTC"))
        return true;
    int hours, minutes = 0, used = 0;
    char sign = *at;
    if (sign != '+' && sign != '-')
        return false;
    if ((sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) < 2 || at[1 + used]) &&
        (sscanf(at + 1, "%2d%2d%n", &hours, &minutes, &used) < 2 || at[1 + used]))
        return false;
    *offset = (hours * 60L + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

static bool read_date(const char *text, int64_t *value)
{
    static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%b %d, %Y %H:%M:%S",
                                           "%Y-%m-%dT%H:%M",    "%Y-%m-%d %H:%M",    "%b %d, %Y %H:%M",
                                           "%Y-%m-%d",          "%b %d, %Y" };
    for (unsigned i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm tm = { .tm_isdst = -1 };
        const char *at = strptime(text, formats[i], &tm);
        bool known;
        long offset;
        if (!at)
            continue;
        int64_t fraction = 0;
        if (*at == '.') {
            at++;
            fraction = read_fraction(&at);
        }
        if (!read_zone(at, &known, &offset))
            continue;
        time_t seconds = known ? timegm(&tm) - offset : mktime(&tm);
        if (seconds < -(INT64_MAX / NANOSECONDS) + 1 || seconds > INT64_MAX / NANOSECONDS - 1)
            return false;
        *value = seconds * NANOSECONDS + fraction;
        return true;
    }
    return false;
}

static int instant(struct node *n, enum kind kind, struct error *error)
{
    if (read_seconds(n->text, &n->value.i) || (kind == KIND_TIME && read_date(n->text, &n->value.i)))
        return 0;
    return syntax_wrong(error, n->column,
                        kind == KIND_TIME
                            ? _("'%.64s' is no time: seconds since 1970, or \"2020-07-04 12:34:56\" in quotes")
                            : _("'%.64s' is no time in seconds"),
                        n->text);
}

/* --- addresses --- */

/* Cuts "/24" off; -1 if it is no such number, `most` if there is none. */
static int cut_prefix(char *text, int most)
{
    char *slash = strchr(text, '/');
    if (!slash)
        return most;
    if (!is_digits(slash + 1) || strlen(slash + 1) > 3 || atoi(slash + 1) > most)
        return -1;
    *slash = 0;
    return atoi(slash + 1);
}

static int ipv4(struct node *n, struct error *error)
{
    uint32_t address = 0;
    int bits = cut_prefix(n->text, 32);
    if (bits < 0)
        return syntax_wrong(error, n->column, _("the prefix of '%.64s' is not a number from 0 to 32"), n->text);
    if (!parse_ipv4(n->text, &address))
        return syntax_wrong(error, n->column, _("'%.64s' is no IPv4 address"), n->text);
    n->value.i = address;
    n->value.mask = bits ? UINT32_MAX << (32 - bits) : 0;
    return 0;
}

static int ipv6(struct node *n, struct error *error)
{
    uint8_t address[16];
    int bits = cut_prefix(n->text, 128);
    if (bits < 0)
        return syntax_wrong(error, n->column, _("the prefix of '%.64s' is not a number from 0 to 128"), n->text);
    if (!parse_ipv6(n->text, address))
        return syntax_wrong(error, n->column, _("'%.64s' is no IPv6 address"), n->text);
    char *room = malloc(sizeof address);
    if (!room)
        return error_set(error, ERROR_MEMORY, "%s", _("filter: no memory"));
    memcpy(room, address, sizeof address);
    free(n->text);
    n->text = room;
    n->value = (struct datum){ .mask = (uint32_t)bits, .bytes = { (const uint8_t *)room, 16 } };
    return 0;
}

/* --- bytes --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Groups of hex digits between colons, points or minuses: one digit is a byte, else two each. In place. */
static bool read_bytes(char *text, size_t *count)
{
    uint8_t *out = (uint8_t *)text;
    const char *at = text;
    for (;;) {
        size_t n = 0;
        while (hex_digit(at[n]) >= 0)
            n++;
        if (!n || (n > 1 && n % 2))
            return false;
        if (n == 1)
            *out++ = (uint8_t)hex_digit(*at++);
        for (; n > 1; n -= 2, at += 2)
            *out++ = (uint8_t)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
        if (!*at)
            break;
        if (!strchr(":.-", *at++))
            return false;
        if (!*at) /* a separator at the end, as Wireshark writes one byte */
            break;
    }
    *count = (size_t)(out - (uint8_t *)text);
    return true;
}

static int bytes(struct node *n, enum kind kind, struct error *error)
{
    size_t count = n->text_length;
    if ((!n->quoted && !n->character) || kind == KIND_MAC) {
        bool one = n->text[0] == '0' && (n->text[1] == 'x' || n->text[1] == 'X');
        if (one && strlen(n->text) <= 4)
            memmove(n->text, n->text + 2, strlen(n->text + 2) + 1);
        if (!read_bytes(n->text, &count))
            return syntax_wrong(error, n->column,
                                _("'%.64s' are no bytes; bytes are like 47:45:54, text stands in double quotes"),
                                n->text);
    }
    if (kind == KIND_MAC && count != 6)
        return syntax_wrong(error, n->column, "%s", _("that is no MAC address: it has 6 bytes"));
    n->value.bytes = (struct span){ (const uint8_t *)n->text, count };
    return 0;
}

int literal_read(struct node *n, enum kind kind, const struct node *field, struct error *error)
{
    if (kind != KIND_UNKNOWN && n->kind == kind) /* it stands between two comparisons, and was read for the first */
        return 0;
    n->kind = (uint8_t)kind;
    n->value = (struct datum){ 0 };
    switch (kind) {
    case KIND_UNKNOWN:
    case KIND_NUMBER:
        return number(n, field, error);
    case KIND_BOOL:
        return boolean(n, field, error);
    case KIND_TIME:
    case KIND_DURATION:
        return instant(n, kind, error);
    case KIND_IPV4:
        return ipv4(n, error);
    case KIND_IPV6:
        return ipv6(n, error);
    case KIND_BYTES:
    case KIND_MAC:
        return bytes(n, kind, error);
    case KIND_TEXT:
        n->value.bytes = (struct span){ (const uint8_t *)n->text, n->text_length };
        return 0;
    }
    return 0;
}
