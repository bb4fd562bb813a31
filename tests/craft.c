/* Crafting: what field_put writes field_read reads, and packets that are put together from layers come apart again. */
#include "dissectors/dissect.h"
#include "dissectors/registry.h"
#include "protocol/tlv.h"
#include <criterion/criterion.h>
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
