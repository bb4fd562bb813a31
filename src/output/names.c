#include "output/names.h"
#include "base/address.h"
#include "base/array.h"
#include "base/span.h"
#include "base/text.h"
#include "output/endpoints.h"
#include "track/address_book.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    IP_TCP = 6,
    IP_UDP = 17,
    PORTS = 1 << 16,
    MAKERS_MOST = 1 << 18,
    TEXTS_MOST = 16 << 20, /* bytes of services and makers in all */
    MAKER_NAME = 12,
    SERVICE_NAME = 40,
};

/* The first bits of MAC addresses: 24, 28 or 36 of them. */
struct maker {
    uint64_t prefix; /* 48 bits, zeros behind the mask */
    uint32_t name;   /* in texts */
    uint8_t bits;
};

struct names {
    struct address_book *book;
    uint32_t (*services)[PORTS]; /* owned; of UDP and TCP: where the name stands in texts, 0: none */
    struct maker *makers;        /* owned; in order */
    uint32_t maker_count, maker_room;
    struct buffer texts; /* owned; each with a zero behind it */
};

/* --- reading files --- */

/* The next word of a line, cut off it with a zero; NULL: none is left. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " \t\r\n");
    if (!*word || *word == '#')
        return NULL;
    char *end = word + strcspn(word, " \t\r\n");
    *line = *end ? end + 1 : end;
    *end = 0;
    return word;
}

static uint32_t keep_text(struct names *n, const char *text, size_t length)
{
    size_t at = buffer_used(&n->texts);
    length = length < SERVICE_NAME ? length : SERVICE_NAME;
    if (at + length + 1 > TEXTS_MOST)
        return 0;
    buffer_put(&n->texts, text, length);
    buffer_char(&n->texts, 0);
    return (uint32_t)at;
}

static void each_line(struct names *n, FILE *file, void (*take)(struct names *n, char *line))
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) >= 0)
        take(n, line);
    free(line);
    fclose(file);
}

/* hosts(5): an address, its name, aliases. */
static void take_host(struct names *n, char *line)
{
    uint8_t address[16];
    uint32_t ipv4;
    char *word = next_word(&line), *name = word ? next_word(&line) : NULL;
    if (!name)
        return;
    unsigned size = parse_ipv6(word, address) ? 16 : 0;
    if (!size && parse_ipv4(word, &ipv4)) {
        store_be32(address, ipv4);
        size = 4;
    }
    if (size && !address_book_find(n->book, address, size)) /* the first line counts */
        address_book_tell(n->book, address, size, name, strlen(name), BOOK_TOLD);
}

/* services(5): a name, port/protocol, aliases. */
static void take_service(struct names *n, char *line)
{
    char *name = next_word(&line), *word = name ? next_word(&line) : NULL, *end;
    unsigned long port = word ? strtoul(word, &end, 10) : PORTS;
    if (port >= PORTS || end == word || (strcmp(end, "/tcp") != 0 && strcmp(end, "/udp") != 0))
        return;
    uint32_t *place = &n->services[end[1] == 't'][port];
    if (!*place)
        *place = keep_text(n, name, strlen(name));
}

/* The first word of a maker's name: "XEROX CORPORATION". */
static void add_maker(struct names *n, uint64_t prefix, unsigned bits, const char *name)
{
    if (n->maker_count == MAKERS_MOST || !array_grow(&n->makers, sizeof *n->makers, n->maker_count, &n->maker_room))
        return;
    size_t length = strcspn(name, " \t\r\n,./(");
    length = length < MAKER_NAME ? length : MAKER_NAME;
    uint32_t text = length ? keep_text(n, name, length) : 0;
    if (text)
        n->makers[n->maker_count++] = (struct maker){ prefix, text, (uint8_t)bits };
}

/* "00-00-00   (hex)\t\tXEROX CORPORATION" of the IEEE, or Wireshark's "00:1B:C5:00:00:00/36\tConverge\tConverging ..."
 */
static void take_maker(struct names *n, char *line)
{
    uint64_t prefix = 0;
    unsigned digits = 0, bits = 24;
    const char *at = line;
    for (; digits < 12; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'A' && *at <= 'F' ? (unsigned)(*at - 'A') + 10
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                                                    : 16;
        if (digit < 16) {
            prefix = prefix << 4 | digit;
            digits++;
        } else if ((*at != ':' && *at != '-') || digits & 1 || !digits) {
            break;
        }
    }
    if (digits != 6 && digits != 12)
        return;
    prefix <<= (12 - digits) * 4;
    if (*at == '/')
        bits = (unsigned)strtoul(at + 1, (char **)&at, 10);
    if (bits < 8 || bits > 48 || (*at != ' ' && *at != '\t'))
        return;
    at += strspn(at, " \t");
    if (!strncmp(at, "(base", 5)) /* the same once more */
        return;
    if (!strncmp(at, "(hex)", 5))
        at += 5 + strspn(at + 5, " \t");
    add_maker(n, prefix & ~UINT64_C(0) << (48 - bits), bits, at);
}

static int by_prefix(const void *a, const void *b)
{
    const struct maker *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return (int)x->bits - (int)y->bits;
}

static void read_makers(struct names *n, const char *path)
{
    static const char *const usual[] = { "/usr/share/ieee-data/oui.txt", "/var/lib/ieee-data/oui.txt",
                                         "/usr/share/wireshark/manuf" };
    FILE *file = path ? fopen(path, "r") : NULL;
    for (unsigned i = 0; !path && !file && i < sizeof usual / sizeof *usual; i++)
        file = fopen(usual[i], "r");
    if (!file)
        return;
    each_line(n, file, take_maker);
    if (n->maker_count)
        qsort(n->makers, n->maker_count, sizeof *n->makers, by_prefix);
}

static int read_hosts(struct names *n, const char *path, struct error *error)
{
    FILE *file = fopen(path ? path : "/etc/hosts", "r");
    if (file)
        each_line(n, file, take_host);
    else if (path)
        return error_set(error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    return 0;
}

int names_open(struct names **names, const struct names_files *files, struct error *error)
{
    struct names *n = *names = calloc(1, sizeof *n);
    if (n) {
        n->book = address_book_open();
        n->services = calloc(2, sizeof *n->services);
    }
    if (!n || !n->book || !n->services || buffer_open(&n->texts, -1, 1 << 16))
        return error_set(error, ERROR_MEMORY, "%s", _("no memory"));
    buffer_char(&n->texts, 0); /* so that 0 is no name's place */
    FILE *services = fopen(files->services ? files->services : "/etc/services", "r");
    if (services)
        each_line(n, services, take_service);
    read_makers(n, files->makers);
    return read_hosts(n, files->hosts, error);
}

void names_close(struct names *n)
{
    if (!n)
        return;
    address_book_close(n->book);
    free(n->services);
    free(n->makers);
    buffer_free(&n->texts);
    free(n);
}

/* --- asking --- */

void names_learn(struct names *n, const struct packet *packet)
{
    address_book_learn(n->book, packet);
}

const char *names_address(const struct names *n, const uint8_t *address, unsigned size)
{
    return address_book_find(n->book, address, size);
}

const char *names_service(const struct names *n, uint8_t protocol, uint16_t port)
{
    uint32_t at = protocol == IP_TCP || protocol == IP_UDP ? n->services[protocol == IP_TCP][port] : 0;
    return at ? n->texts.start + at : NULL;
}

/* The maker whose prefix is the longest that fits. */
static const char *find_maker(const struct names *n, const uint8_t mac[6])
{
    static const uint8_t masks[] = { 48, 36, 32, 28, 24 };
    uint64_t whole = (uint64_t)load_be16(mac) << 32 | load_be32(mac + 2);
    for (unsigned i = 0; n->maker_count && i < sizeof masks; i++) {
        struct maker wanted = { .prefix = whole & ~UINT64_C(0) << (48 - masks[i]), .bits = masks[i] };
        const struct maker *found = bsearch(&wanted, n->makers, n->maker_count, sizeof wanted, by_prefix);
        if (found)
            return n->texts.start + found->name;
    }
    return NULL;
}

void names_write_mac(struct buffer *out, const struct names *n, const uint8_t mac[6])
{
    static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    const char *maker = n ? find_maker(n, mac) : NULL;
    if (n && !memcmp(mac, everybody, 6)) {
        buffer_text(out, "Broadcast");
        return;
    }
    char text[MAC_TEXT];
    write_mac(text, mac);
    if (maker) {
        buffer_escaped(out, (const uint8_t *)maker, strlen(maker));
        buffer_char(out, '_');
    }
    size_t skip = maker ? 9 : 0; /* the first half */
    buffer_put(out, text + skip, MAC_TEXT - 1 - skip);
}

void names_write_end(struct buffer *out, const struct names *n, const uint8_t *address, unsigned size, bool has_port,
                     uint16_t port, uint8_t protocol)
{
    const char *name = n ? names_address(n, address, size) : NULL;
    const char *service = n && has_port ? names_service(n, protocol, port) : NULL;
    if (!name) {
        out->at = address_write(buffer_room(out, 64), address, (uint8_t)size, has_port, port);
        while (service && out->at[-1] != ':')
            out->at--;
    } else {
        buffer_escaped(out, (const uint8_t *)name, strlen(name));
        if (has_port)
            buffer_char(out, ':');
    }
    if (service)
        buffer_escaped(out, (const uint8_t *)service, strlen(service));
    else if (name && has_port)
        buffer_decimal(out, port);
}

static void put_member(struct buffer *out, const char *who, const char *key, const char *text)
{
    if (!text)
        return;
    buffer_format(out, ",\"%s%s%s\":\"", who, *who ? "_" : "", key);
    buffer_json_escaped(out, (const uint8_t *)text, strlen(text));
    buffer_char(out, '"');
}

void names_write_json(struct buffer *out, const struct names *n, const char *who, const uint8_t *address, unsigned size,
                      uint16_t port, uint8_t protocol)
{
    if (!n)
        return;
    put_member(out, who, "name", names_address(n, address, size));
    put_member(out, who, "service", names_service(n, protocol, port));
}
