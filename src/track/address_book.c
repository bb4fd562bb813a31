#include "track/address_book.h"
#include "base/address.h"
#include "protocol/protocol.h"
#include "protocol/sink.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { SLOTS_FEW = 256, IPV4 = 4, IPV6 = 16 };

struct entry {
    uint8_t address[16];
    uint8_t size; /* 4 or 16; 0: an empty slot */
    uint8_t source;
    char *name; /* owned */
};

struct address_book {
    struct entry *slots; /* owned; open addressing, at most half full */
    uint32_t room, count;
    uint64_t seed;
};

/* --- the table --- */

static uint32_t slot_of(const struct address_book *b, const uint8_t *address, unsigned size)
{
    uint64_t h = b->seed;
    for (unsigned i = 0; i < size; i += 4)
        h = (h ^ load_le32(address + i)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 29;
    uint32_t at = (uint32_t)h & (b->room - 1);
    while (b->slots[at].size && (b->slots[at].size != size || memcmp(b->slots[at].address, address, size) != 0))
        at = (at + 1) & (b->room - 1);
    return at;
}

static bool more_room(struct address_book *b)
{
    struct entry *old = b->slots;
    uint32_t old_room = b->room;
    struct entry *slots = calloc((size_t)old_room * 2, sizeof *slots);
    if (!slots)
        return false;
    b->slots = slots;
    b->room = old_room * 2;
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].size)
            slots[slot_of(b, old[i].address, old[i].size)] = old[i];
    free(old);
    return true;
}

void address_book_tell(struct address_book *b, const uint8_t *address, unsigned size, const char *name, size_t n,
                       enum book_source source)
{
    n = n < BOOK_NAME ? n : BOOK_NAME;
    struct entry *e = &b->slots[slot_of(b, address, size)];
    if (!n || (e->size && (e->source > source || (!strncmp(e->name, name, n) && !e->name[n]))))
        return;
    if (!e->size && (b->count == BOOK_MOST || (b->count * 2 >= b->room && !more_room(b))))
        return;
    char *copy = malloc(n + 1);
    if (!copy)
        return;
    memcpy(copy, name, n);
    copy[n] = 0;
    e = &b->slots[slot_of(b, address, size)]; /* it may have moved */
    b->count += !e->size;
    free(e->name);
    memcpy(e->address, address, size);
    *e = (struct entry){ .size = (uint8_t)size, .source = (uint8_t)source, .name = copy };
    memcpy(e->address, address, size);
}

const char *address_book_find(const struct address_book *b, const uint8_t *address, unsigned size)
{
    return b->slots[slot_of(b, address, size)].name;
}

struct address_book *address_book_open(void)
{
    struct address_book *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->room = SLOTS_FEW;
    b->slots = calloc(b->room, sizeof *b->slots);
    if (b->slots && getrandom(&b->seed, sizeof b->seed, 0) == sizeof b->seed)
        return b;
    address_book_close(b);
    return NULL;
}

void address_book_close(struct address_book *b)
{
    for (uint32_t i = 0; b && b->slots && i < b->room; i++)
        free(b->slots[i].name);
    if (b)
        free(b->slots);
    free(b);
}

/* --- DNS --- */

struct name {
    char text[BOOK_NAME + 1];
    size_t n;
};

/* What a message has said so far. */
struct learning {
    struct sink sink;
    struct address_book *book;
    bool response;
    struct name question, alias; /* what was asked for, and what that leads to */
    struct name owner;           /* of the record that is being read */
};

/* A name that the dissector wrote; one that is longer than any may be is none. */
static void keep(struct name *name, const struct value *value)
{
    bool root = value->bytes.left && value->bytes.at[0] == '<'; /* "<Root>", which is nobody */
    name->n = value->bytes.left <= BOOK_NAME && !root ? value->bytes.left : 0;
    memcpy(name->text, value->bytes.at, name->n);
    name->text[name->n] = 0;
}

/* RFC 4343: letters of names have no case. */
static bool same_name(const struct name *a, const struct name *b)
{
    return a->n == b->n && a->n && !strncasecmp(a->text, b->text, a->n);
}

static void learn_address(struct learning *l, const uint8_t *address, unsigned size)
{
    const struct name *name = same_name(&l->owner, &l->alias) ? &l->question : &l->owner;
    address_book_tell(l->book, address, size, name->text, name->n, BOOK_ANSWER);
}

/* 4.3.2.1.in-addr.arpa: RFC 1035, 3.5; nibbles of ip6.arpa: RFC 3596, 2.5. 0: neither. */
static unsigned reverse_address(const struct name *name, uint8_t address[16])
{
    static const char four[] = ".in-addr.arpa", six[] = ".ip6.arpa";
    size_t n = name->n;
    uint32_t ipv4;
    if (n == 63 + sizeof six - 1 && !strcasecmp(name->text + 63, six)) {
        memset(address, 0, 16);
        for (unsigned i = 0; i < 32; i++) {
            char c = name->text[2 * i] | 0x20;
            unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                             : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                    : 16;
            if (digit > 15 || (i < 31 && name->text[2 * i + 1] != '.'))
                return 0;
            address[15 - i / 2] |= (uint8_t)(digit << (i & 1 ? 4 : 0));
        }
        return IPV6;
    }
    if (n <= sizeof four - 1 || strcasecmp(name->text + n - (sizeof four - 1), four) != 0)
        return 0;
    char text[16];
    n -= sizeof four - 1;
    if (n >= sizeof text)
        return 0;
    memcpy(text, name->text, n);
    text[n] = 0;
    if (!parse_ipv4(text, &ipv4))
        return 0;
    for (unsigned i = 0; i < 4; i++)
        address[i] = (uint8_t)(ipv4 >> (8 * i));
    return IPV4;
}

static void learn_pointer(struct learning *l, const struct value *value)
{
    struct name target;
    uint8_t address[16];
    unsigned size = reverse_address(&l->owner, address);
    keep(&target, value);
    if (size)
        address_book_tell(l->book, address, size, target.text, target.n, BOOK_POINTER);
}

static void take_field(struct sink *sink, const struct field *field, const struct value *value)
{
    struct learning *l = (struct learning *)sink;
    const char *what = field->abbrev;
    struct name target;
    if (strncmp(what, "dns.", 4) != 0)
        return;
    what += 4;
    if (!strcmp(what, "flags.response")) {
        l->response = value->u;
    } else if (!strcmp(what, "qry.name")) {
        keep(&l->question, value);
        l->alias = l->question;
    } else if (!strcmp(what, "resp.name")) {
        keep(&l->owner, value);
    } else if (!l->response) {
        return;
    } else if (!strcmp(what, "cname")) {
        keep(&target, value);
        if (same_name(&l->owner, &l->alias))
            l->alias = target;
    } else if (!strcmp(what, "a") && value->bytes.left == IPV4) {
        learn_address(l, value->bytes.at, IPV4);
    } else if (!strcmp(what, "aaaa") && value->bytes.left == IPV6) {
        learn_address(l, value->bytes.at, IPV6);
    } else if (!strcmp(what, "ptr.domain_name")) {
        learn_pointer(l, value);
    }
}

static bool is_dns(const struct protocol *protocol)
{
    return !strcmp(protocol->label, "DNS") || !strcmp(protocol->label, "mDNS") || !strcmp(protocol->label, "LLMNR");
}

void address_book_learn(struct address_book *book, const struct packet *p)
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        const struct layer *l = &p->layers[i];
        if (l->flags & LAYER_QUOTED || !is_dns(l->protocol))
            continue;
        struct learning learning = { .sink = { .field = take_field }, .book = book };
        walk_layer(p, l, &learning.sink);
    }
}
