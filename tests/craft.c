/* Crafting: what field_put writes field_read reads, and packets that are put together from layers come apart again. */
#include "inject/craft.h"
#include "capture/capture.h"
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "protocol/tlv.h"
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADER_ROOM = 512, ROUNDS = 50 };

static uint64_t seed = 1;

/* xorshift64*, the same numbers in every run */
static uint64_t random_number(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717);
}

static void random_bytes(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(random_number() >> 32);
}

static bool is_number(const struct field *f)
{
    return f->type == FIELD_UINT || f->type == FIELD_UINT_LE || f->type == FIELD_BOOL || f->type == FIELD_IPV4;
}

/* Puts a value that the row can say, and reads it back; returns whether there was something to put. */
static bool put_and_read(const struct field *f, const struct place *place, uint8_t *header)
{
    uint8_t bytes[HEADER_ROOM];
    uint32_t bit, width;
    if (!field_locate(f, place, 0, &bit, &width) || !width || width > HEADER_ROOM * 8 || f->flags & FIELD_SET)
        return false;
    random_bytes(bytes, sizeof bytes);
    struct value value = { .bytes = { bytes, width / 8 } }, read;
    if (is_number(f)) {
        uint64_t wire = width < 64 ? random_number() & ((UINT64_C(1) << width) - 1) : random_number();
        value.u = f->unit ? (wire + f->plus) * f->unit : wire;
    }
    enum put put = field_put(f, place, 0, header, &value);
    if (put == PUT_ABSENT || put == PUT_SHORT || put == PUT_COMPUTED || f->type == FIELD_NONE)
        return false;
    cr_assert_eq(put, PUT_DONE, "%s", f->abbrev);
    /* A row whose presence hangs on its own bits may have put itself away; one with an adjust or a read shows more. */
    if (!field_read(f, place, 0, &read) || f->adjust || f->read)
        return true;
    if (is_number(f)) {
        cr_expect_eq(read.u, value.u, "%s", f->abbrev);
    } else {
        cr_expect_eq(read.bytes.left, width / 8, "%s", f->abbrev);
        cr_expect_arr_eq(read.bytes.at, bytes, width / 8, "%s", f->abbrev);
    }
    return true;
}

static unsigned try_rows(const struct field *rows, const struct layer *layer, const struct packet *packet)
{
    unsigned count = 0;
    uint8_t header[HEADER_ROOM];
    for (const struct field *f = rows; f->abbrev; f++)
        for (int round = 0; round < ROUNDS; round++) {
            random_bytes(header, sizeof header);
            struct place place = { .packet = packet, .layer = layer, .rows = rows, .bytes = { header, sizeof header } };
            count += put_and_read(f, &place, header);
            if (f->tlvs && !round && f->tlvs->common)
                count += try_rows(f->tlvs->common, layer, packet);
            if (f->tlvs && !round)
                for (const struct tlv *t = f->tlvs->kinds; t->title; t++)
                    if (t->fields)
                        count += try_rows(t->fields, layer, packet);
        }
    return count;
}

Test(craft, what_is_put_into_any_row_of_any_table_is_read_from_it)
{
    static struct packet packet;
    unsigned count = 0;
    registry_open();
    for (const struct protocol *const *p = protocols; *p; p++) {
        struct layer layer = { .protocol = *p, .length = HEADER_ROOM, .end = HEADER_ROOM };
        count += try_rows((*p)->fields, &layer, &packet);
    }
    cr_expect_gt(count, 10000u);
}

Test(craft, a_value_that_does_not_fit_is_refused_and_nothing_is_written)
{
    static const struct field rows[] = {
        { "x.nibble", "", FIELD_UINT, BITS(4, 4) },
        { "x.words", "", FIELD_UINT, BYTE(1, 1), .unit = 4, .plus = 1 },
        { "x.mac", "", FIELD_MAC, BYTE(2, 6) },
        { 0 },
    };
    uint8_t header[8] = { 0 }, seven[7] = { 1 };
    struct place place = { .rows = rows, .bytes = { header, sizeof header } };
    struct value value = { .u = 16 };
    cr_expect_eq(field_put(&rows[0], &place, 0, header, &value), PUT_LARGE);
    value.u = 6; /* no whole words */
    cr_expect_eq(field_put(&rows[1], &place, 0, header, &value), PUT_LARGE);
    value.u = 0; /* less than the one word that is always there */
    cr_expect_eq(field_put(&rows[1], &place, 0, header, &value), PUT_LARGE);
    value.bytes = (struct span){ seven, sizeof seven };
    cr_expect_eq(field_put(&rows[2], &place, 0, header, &value), PUT_LARGE);
    place.bytes.left = 7;
    value.bytes.left = 6;
    cr_expect_eq(field_put(&rows[2], &place, 0, header, &value), PUT_SHORT);
    for (size_t i = 0; i < sizeof header; i++)
        cr_expect_eq(header[i], 0);
    value.u = 9;
    cr_expect_eq(field_put(&rows[0], &place, 0, header, &value), PUT_DONE);
    cr_expect_eq(header[0], 9);
}

/* A layer's fields are set one after another to random values, as long as they do not stand in each other's way; then
 * each is read back. */

enum { ROWS_MAX = 128 };

static bool can_be_set(const struct field *f)
{
    return !f->note_bit && (!f->read || f->bit || f->width) && !f->only && !f->measure && f->type != FIELD_TLVS &&
           f->type != FIELD_NONE && !(f->flags & FIELD_SET);
}

static struct craft_value number_value(uint64_t n)
{
    return (struct craft_value){ .kind = CRAFT_NUMBER, .number = (int64_t)n };
}

static struct craft_value bytes_value(const void *bytes, size_t n)
{
    struct craft_value value;
    cr_assert(craft_value_bytes(&value, bytes, n));
    return value;
}

/* A value that the row can say; its wire form in `wire`, for comparing. */
static struct craft_value random_value(const struct field *f, uint64_t *number, uint8_t bytes[32], size_t *n)
{
    *n = f->width ? f->width / 8u : random_number() % 5 * 4;
    random_bytes(bytes, 32);
    if (is_number(f)) {
        uint64_t wire = f->width < 63 ? random_number() & ((UINT64_C(1) << f->width) - 1) : random_number() >> 1;
        for (const struct when *w = f->when; w && w->width; w++) /* one that hangs on its own value */
            if (w->bit == f->bit && w->width == f->width && (wire < w->low || wire > w->high))
                wire = w->low + random_number() % ((uint64_t)w->high - w->low + 1);
        *number = f->unit ? (wire + f->plus) * f->unit : wire;
        return number_value(*number);
    }
    return bytes_value(bytes, *n);
}

/* Several rows may have one name: which of them it is hangs on the rest of the header. */
static bool reads_as(const struct craft *craft, unsigned layer, const struct field *f, uint64_t number,
                     const uint8_t *bytes, size_t n)
{
    static struct packet view;
    craft_view(craft, &view);
    const struct layer *l = &view.layers[layer];
    struct place place = { .packet = &view, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(&view, l) };
    for (const struct field *row = place.rows; row->abbrev; row++) {
        struct field plain = *row;
        plain.adjust = NULL;
        plain.read = NULL;
        struct value value;
        if (strcmp(row->abbrev, f->abbrev) != 0 || (row->read && !(row->bit | row->width)) || row->note_bit ||
            !field_read(&plain, &place, 0, &value))
            continue;
        return is_number(row) ? value.u == number : value.bytes.left >= n && !memcmp(value.bytes.at, bytes, n);
    }
    return false;
}

struct chosen {
    const struct field *field;
    uint64_t number;
    uint8_t bytes[32];
    size_t n;
};

static bool set_chosen(struct craft *craft, const struct chosen *c)
{
    struct craft_value value = is_number(c->field) ? number_value(c->number) : bytes_value(c->bytes, c->n);
    struct error error;
    return !craft_set(craft, 0, c->field->abbrev, &value, &error);
}

/* Sets all of the chosen fields in a new layer and builds it. */
static struct craft *make(const struct protocol *protocol, const struct chosen *chosen, unsigned count)
{
    struct error error;
    struct span bytes;
    struct craft *craft = craft_new();
    cr_assert(!craft_add(craft, protocol, &error));
    for (unsigned i = 0; i < count; i++)
        if (!set_chosen(craft, &chosen[i])) {
            craft_free(craft);
            return NULL;
        }
    if (!craft_build(craft, &bytes, &error))
        return craft;
    craft_free(craft);
    return NULL;
}

static bool all_read_back(const struct craft *craft, const struct chosen *chosen, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!reads_as(craft, 0, chosen[i].field, chosen[i].number, chosen[i].bytes, chosen[i].n))
            return false;
    return true;
}

static bool names_again(const struct chosen *chosen, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(chosen[i].field->abbrev, name))
            return true;
    return false;
}

/* One random layer; marks the rows that took part. */
static unsigned try_layer(const struct protocol *protocol, bool *took_part)
{
    static struct chosen chosen[ROWS_MAX];
    unsigned rows = 0, count = 0;
    while (protocol->fields[rows].abbrev)
        rows++;
    for (unsigned tries = 0; rows && tries < 12 && count < ROWS_MAX; tries++) {
        unsigned row = (unsigned)(random_number() % rows);
        const struct field *f = &protocol->fields[row];
        struct chosen *c = &chosen[count];
        if (!can_be_set(f) || names_again(chosen, count, f->abbrev))
            continue;
        c->field = f;
        struct craft_value ignored = random_value(f, &c->number, c->bytes, &c->n);
        craft_value_free(&ignored);
        struct craft *craft = make(protocol, chosen, count + 1);
        /* One whose condition the others do not allow, or whose bits they have, is left out again. */
        if (craft && all_read_back(craft, chosen, count + 1)) {
            for (unsigned i = 0; i < rows; i++)
                took_part[i] |= !strcmp(protocol->fields[i].abbrev, f->abbrev);
            count++;
        }
        craft_free(craft);
    }
    return count;
}

Test(craft, random_values_of_all_fields_of_all_tables_come_back, .timeout = 100)
{
    registry_open();
    for (const struct protocol *const *p = protocols; *p; p++) {
        bool took_part[ROWS_MAX] = { 0 };
        if (!strcmp((*p)->name, "frame"))
            continue;
        for (int round = 0; round < 300; round++)
            try_layer(*p, took_part);
        for (unsigned i = 0; (*p)->fields[i].abbrev; i++)
            cr_expect(took_part[i] || !can_be_set(&(*p)->fields[i]), "%s (row %u of %s) was never set",
                      (*p)->fields[i].abbrev, i, (*p)->name);
    }
}

/* A packet's layers are made again from the values of their fields alone, and must come out byte for byte. */

static struct craft_value value_of(const struct field *f, const struct value *v)
{
    if (is_number(f) && !(f->width > 63))
        return number_value(v->u);
    return bytes_value(v->bytes.at, v->bytes.left);
}

/* Adds all occurrences of a row's to a list of named values. */
static void add_row(struct craft_value *list, const struct field *f, const struct place *place);

static void add_rows(struct craft_value *list, const struct place *place, bool roles)
{
    for (const struct field *f = place->rows; f->abbrev; f++)
        if (!f->note_bit && !f->only && f->type != FIELD_NONE && (roles || !f->role))
            add_row(list, f, place);
}

/* The bytes that none of an option's rows reads, at its end. */
static void add_option_rest(struct craft_value *one, const struct tlv_set *set, const struct option *option,
                            const struct place *place)
{
    const struct field *tables[] = { set->common, option->tlv->fields };
    size_t end = option->tlv->alone ? set->kind_size : (size_t)set->kind_size + set->length_size;
    for (unsigned t = 0; t < 2; t++)
        for (const struct field *f = tables[t]; f && f->abbrev; f++) {
            struct place inside = *place;
            struct value v;
            inside.bytes = option->bytes;
            inside.rows = tables[t];
            inside.start = 0;
            for (unsigned turn = 0; field_read(f, &inside, turn, &v); turn++) {
                if ((v.bit + v.width + 7) / 8 > end)
                    end = (v.bit + v.width + 7) / 8;
                if (!f->stride)
                    break;
            }
        }
    if (end < option->bytes.left) {
        struct craft_value rest = bytes_value(option->bytes.at + end, option->bytes.left - end);
        cr_assert(craft_value_add(one, CRAFT_REST, &rest));
    }
}

static struct craft_value options_of(const struct field *f, const struct place *place, struct span run)
{
    struct craft_value list = { .kind = CRAFT_LIST };
    struct option option;
    while (!f->tlvs->head && run.left) {
        struct span before = run;
        tlv_next(f->tlvs, &run, &option);
        struct craft_value one = { .kind = CRAFT_LIST };
        if (option.broken || (option.tlv->stop && option.bytes.left < before.left)) { /* and padding behind it */
            one = bytes_value(before.at, before.left);
            run.left = 0;
        } else {
            struct place inside = *place;
            inside.bytes = option.bytes;
            inside.rows = f->tlvs->common ? f->tlvs->common : option.tlv->fields;
            add_rows(&one, &inside, false);
            inside.rows = option.tlv->fields;
            if (f->tlvs->common && inside.rows)
                add_rows(&one, &inside, false);
            add_option_rest(&one, f->tlvs, &option, place);
        }
        cr_assert(craft_value_add(&list, NULL, &one));
    }
    if (f->tlvs->head) {
        struct craft_value one = bytes_value(run.at, run.left);
        cr_assert(craft_value_add(&list, NULL, &one));
    }
    return list;
}

static void add_row(struct craft_value *list, const struct field *f, const struct place *place)
{
    struct field plain = *f;
    struct value v;
    plain.adjust = NULL;
    if ((f->read && !(f->bit | f->width)) || f->measure)
        return;
    if (f->read && !field_read(f, place, 0, &v)) /* absent */
        return;
    plain.read = NULL;
    struct craft_value all = { .kind = CRAFT_LIST };
    for (unsigned turn = 0; field_read(&plain, place, turn, &v); turn++) {
        struct craft_value one = f->type == FIELD_TLVS ? options_of(f, place, v.bytes) : value_of(f, &v);
        if (!f->stride) {
            cr_assert(craft_value_add(list, f->abbrev, &one));
            return;
        }
        cr_assert(craft_value_add(&all, NULL, &one));
    }
    if (all.count)
        cr_assert(craft_value_add(list, f->abbrev, &all));
}

static struct craft *make_from(const struct protocol *protocol, const struct craft_value *list, struct span *bytes,
                               struct error *error)
{
    struct craft *craft = craft_new();
    cr_assert(!craft_add(craft, protocol, error));
    int code = 0;
    for (unsigned i = 0; i < list->count && !code; i++)
        code = craft_set(craft, 0, list->entries[i].name, &list->entries[i].value, error);
    if (!code && !craft_build(craft, bytes, error))
        return craft;
    craft_free(craft);
    return NULL;
}

/* Whether the packet of one layer, made of its values, is its header. */
static bool remade(const struct packet *p, const struct layer *l, char *why, size_t size)
{
    struct place place = { .packet = p, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(p, l) };
    struct error error = { "" };
    struct span bytes = { 0 };
    struct craft_value list = { .kind = CRAFT_LIST };
    add_rows(&list, &place, true);
    struct craft *craft = make_from(l->protocol, &list, &bytes, &error);
    if (craft && bytes.left < place.bytes.left && !memcmp(bytes.at, place.bytes.at, bytes.left)) {
        /* what no row is for lies behind */
        struct craft_value rest = bytes_value(place.bytes.at + bytes.left, place.bytes.left - bytes.left);
        craft_value_free(&list);
        add_rows(&list, &place, true);
        cr_assert(craft_value_add(&list, CRAFT_REST, &rest));
        craft_free(craft);
        craft = make_from(l->protocol, &list, &bytes, &error);
    }
    size_t n = 0;
    while (craft && n < bytes.left && n < place.bytes.left && bytes.at[n] == place.bytes.at[n])
        n++;
    bool same = craft && n == bytes.left && n == place.bytes.left;
    if (!same)
        snprintf(why, size, "%s: %s, byte %zu of %zu, made %zu", l->protocol->name, craft ? "differs" : error.text, n,
                 place.bytes.left, bytes.left);
    craft_value_free(&list);
    craft_free(craft);
    return same;
}

/* Options that code finds in the room of something else: DHCP's, where the servers' names would be. */
static bool has_options_elsewhere(const struct packet *p, const struct layer *l)
{
    struct place place = { .packet = p, .layer = l, .rows = l->protocol->fields, .bytes = layer_header(p, l) };
    struct value value;
    for (const struct field *f = place.rows; f->abbrev; f++)
        if (f->type == FIELD_TLVS && f->read && field_read(f, &place, 0, &value))
            return true;
    return false;
}

/* Taken apart by code, not by rows alone; or one of several ways to say the same: PPP's compressed protocol, and BSD's
 * family in the order of another host's bytes. */
static bool has_more_than_rows(const struct packet *p, const struct layer *l)
{
    const struct protocol *protocol = l->protocol;
    if (has_options_elsewhere(p, l))
        return true;
    if (!strcmp(protocol->name, "ppp") && l->length % 2)
        return true;
    if (!strcmp(protocol->name, "null") && !p->buffers[0].at[0])
        return true;
    static const char *const names[] = { "data", "dns", "mdns", "llmnr", "ayiya", "tls" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], protocol->name))
            return true;
    return false;
}

struct tally {
    unsigned headers, different; /* made again from values */
    unsigned packets, changed;   /* taken as they are and built again */
    unsigned edited, wrong;      /* a field set to another value and back */
    bool quiet;
};

static void remake_headers(const struct packet *p, const char *name, struct tally *tally)
{
    for (unsigned i = 0; i < p->layer_count; i++) {
        char why[700];
        const struct layer *l = &p->layers[i];
        if (l->buffer || l->verdict != VERDICT_WHOLE || !l->length || l->flags & (LAYER_QUOTED | LAYER_ROUTED) ||
            has_more_than_rows(p, l))
            continue;
        tally->headers++;
        if (remade(p, l, why, sizeof why))
            continue;
        tally->different++;
        if (!tally->quiet)
            fprintf(stderr, "%s packet %llu %s\n", name, (unsigned long long)p->number, why);
    }
}

static bool set_hop_limit(struct craft *craft, unsigned layer, uint64_t limit)
{
    struct craft_value value = number_value(limit);
    struct error error;
    bool four = !strcmp(craft_layer_protocol(craft, layer)->name, "ip");
    return !craft_set(craft, layer, four ? "ttl" : "hlim", &value, &error);
}

/* Another hop limit changes IPv4's header checksum if that was right, and the packet is the same with the old one. */
static void edit(struct craft *craft, const struct packet *p, struct tally *tally)
{
    struct error error;
    struct span bytes;
    for (unsigned i = 0; i < craft_layer_count(craft) && i < p->layer_count; i++) {
        const struct protocol *protocol = craft_layer_protocol(craft, i);
        const struct layer *l = &p->layers[i];
        bool four = protocol && !strcmp(protocol->name, "ip"), six = protocol && !strcmp(protocol->name, "ipv6");
        size_t at = l->offset + (four ? 8u : 7u);
        if ((!four && !six) || l->protocol != protocol || l->length < 20)
            continue;
        uint8_t old = p->buffers[0].at[at];
        tally->edited++;
        bool good = set_hop_limit(craft, i, old ^ 1u) && !craft_build(craft, &bytes, &error) &&
                    bytes.left == p->buffers[0].left && bytes.at[at] == (old ^ 1u);
        good = good && set_hop_limit(craft, i, old) && !craft_build(craft, &bytes, &error) &&
               bytes.left == p->buffers[0].left && !memcmp(bytes.at, p->buffers[0].at, bytes.left);
        tally->wrong += !good;
        return;
    }
}

static void rebuild(const struct packet *p, const char *name, struct tally *tally)
{
    struct craft *craft;
    struct error error = { "" };
    struct span bytes = { 0 };
    tally->packets++;
    int code = craft_from_packet(&craft, p, &error);
    if (!code)
        code = craft_build(craft, &bytes, &error);
    bool same =
        !code && bytes.left == p->buffers[0].left && (!bytes.left || !memcmp(bytes.at, p->buffers[0].at, bytes.left));
    tally->changed += !same;
    if (!same)
        fprintf(stderr, "%s packet %llu: built again it differs: %s (%zu, %zu)\n", name, (unsigned long long)p->number,
                error.text, bytes.left, p->buffers[0].left);
    if (same)
        edit(craft, p, tally);
    if (!code)
        craft_free(craft);
}

static void remake_file(const char *path, struct tally *tally)
{
    static struct packet p;
    struct capture *capture;
    struct record record;
    struct error error;
    const char *name = strrchr(path, '/') + 1;
    if (capture_open(&capture, path, &error))
        return;
    for (uint64_t number = 1; number < 2000 && capture_next(capture, &record, &error) > 0; number++) {
        if (record.bytes.left > CRAFT_PACKET_MAX)
            continue;
        packet_reset(&p, record.bytes);
        p.number = number;
        p.link_type = record.link_type;
        p.wire_length = record.wire_length;
        dissect(&p);
        remake_headers(&p, name, tally);
        rebuild(&p, name, tally);
    }
    capture_close(capture);
}

Test(craft, packets_of_captures_are_made_again_from_their_values, .timeout = 100)
{
    glob_t files;
    struct tally tally = { 0 };
    registry_open();
    cr_assert(!glob(TESTDATA "/*.pcap*", 0, NULL, &files));
    for (size_t i = 0; i < files.gl_pathc; i++)
        remake_file(files.gl_pathv[i], &tally);
    globfree(&files);
    cr_expect_eq(tally.different, 0u, "%u of %u headers", tally.different, tally.headers);
    cr_expect_eq(tally.changed, 0u, "%u of %u packets", tally.changed, tally.packets);
    cr_expect_eq(tally.wrong, 0u, "%u of %u edited", tally.wrong, tally.edited);
    cr_expect_gt(tally.headers, 500u);
    cr_expect_gt(tally.edited, 100u);
}

/* Others' captures hold headers that their own lengths cut in pieces: what no value can say again is counted, and has
 * to stay rare. */
Test(craft, packets_of_other_captures_are_built_again_byte_for_byte, .timeout = 100)
{
    glob_t files = { 0 };
    struct tally tally = { .quiet = !getenv("PEEL_TEST_TELL") };
    registry_open();
    static const char *const patterns[] = { "/../../shared/captures/*/*cap*", "/../../shared/captures/*/*/*cap*",
                                            "/../../shared/captures/*/*/*/*cap*" };
    for (unsigned i = 0; i < 3; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", TESTDATA, patterns[i]);
        glob(path, i ? GLOB_APPEND : 0, NULL, &files);
    }
    if (!files.gl_pathc)
        cr_skip_test("../shared/captures is not there");
    for (size_t i = 0; i < files.gl_pathc; i++)
        remake_file(files.gl_pathv[i], &tally);
    globfree(&files);
    fprintf(stderr, "%u headers, %u different; %u packets, %u changed; %u edited, %u wrong\n", tally.headers,
            tally.different, tally.packets, tally.changed, tally.edited, tally.wrong);
    cr_expect_eq(tally.changed, 0u, "%u of %u packets", tally.changed, tally.packets);
    cr_expect_eq(tally.wrong, 0u, "%u of %u edited", tally.wrong, tally.edited);
    cr_expect_lt(tally.different * 300, tally.headers, "%u of %u headers", tally.different, tally.headers);
}
